import { describe, expect, it } from "vitest";
import { event, FRAME, finish } from "../testing/events.js";
import { AnswerFrame, chunkTemplate, type FrameOptions, UsageCount } from "./answer-frame.js";

const shape = { chunkObject: "chunk", choices: 2, samples: 2, promptTokens: 3 };
const frameOf = (changes: Partial<FrameOptions> = {}) => new AnswerFrame({ ...FRAME, ...changes }, shape);
const head = { id: "cmpl-1", object: "chunk", created: 5, model: "tiny", system_fingerprint: "fp" };

describe("chunks", () => {
  it("have the choice behind the fields that all share, in this order", () => {
    expect(frameOf().chunk({ index: 0 })).toBe(JSON.stringify({ ...head, choices: [{ index: 0 }] }));
    expect(frameOf().chunk({ index: 0 }, { more: 1 })).toBe(
      JSON.stringify({ ...head, choices: [{ index: 0 }], more: 1 }),
    );
  });

  it("carry the usage so far where it is asked for, over all choices", () => {
    const frame = frameOf({ runningUsage: true });
    frame.count(0, event());
    frame.count(1, event({ tokens: [1, 2] }));
    expect(JSON.parse(frame.chunk({})).usage).toEqual({ prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 });
  });

  it("of a choice that finishes carry the usage only when it is the last one", () => {
    const frame = frameOf();
    frame.count(1, finish());
    expect(JSON.parse(frame.finishingChunk({}))).not.toHaveProperty("usage");
    frame.count(0, finish());
    expect(JSON.parse(frame.finishingChunk({})).usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 2 });
    expect(frame.end()).toEqual([]);
  });

  it("never carry the usage where it is hidden", () => {
    const frame = frameOf({ hidesUsage: true });
    frame.count(0, finish());
    frame.count(1, finish());
    expect(JSON.parse(frame.finishingChunk({}))).not.toHaveProperty("usage");
    expect(frame.end()).toEqual([]);
  });

  it("leave the usage to a chunk of its own where that is asked for", () => {
    const frame = frameOf({ usageChunk: true });
    frame.count(0, finish());
    frame.count(1, finish());
    expect(JSON.parse(frame.finishingChunk({}))).not.toHaveProperty("usage");
    expect(frame.end().map((json) => JSON.parse(json))).toEqual([{ ...head, choices: [], usage: frame.usage }]);
  });

  it.each([true, false])(
    "of the last choice to finish carry the warnings (a chunk for the usage: %s)",
    (usageChunk) => {
      const warnings = [{ param: "tools.0.function.parameters", path: "#", reason: "has the keyword not" }];
      const frame = frameOf({ usageChunk, warnings });
      frame.count(1, finish());
      expect(JSON.parse(frame.finishingChunk({}))).not.toHaveProperty("warnings");
      frame.count(0, finish());
      expect(JSON.parse(frame.finishingChunk({})).warnings).toEqual(warnings);
      expect(frame.tail()).toEqual({ usage: frame.usage, warnings });
      expect(frameOf().tail()).not.toHaveProperty("warnings");
    },
  );

  it("with text alone are as JSON.stringify writes them", () => {
    const make = (content: string) => ({ index: 0, delta: { content } });
    expect(frameOf().textChunk(make)('a "b"')).toBe(frameOf().chunk(make('a "b"')));
  });
});

describe("the usage", () => {
  it.each<[string, number, number[], object]>([
    ["one choice", 1, [0], { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 }],
    ["two samples of one prompt", 2, [0, 1], { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }],
    ["two prompts", 1, [0, 1], { prompt_tokens: 6, completion_tokens: 2, total_tokens: 8 }],
    ["two samples of two prompts", 2, [3, 1, 0, 2], { prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 }],
    ["a second sample alone", 2, [1], { prompt_tokens: 0, completion_tokens: 1, total_tokens: 1 }],
  ])("of %s counts each prompt once", (_, samples, choices, sum) => {
    const count = new UsageCount(samples);
    for (const choice of choices) count.add(choice, { promptTokens: 3, completionTokens: 1, cachedTokens: 2 });
    const prompts = choices.filter((choice) => choice % samples === 0).length;
    expect(count.toJson()).toEqual({ ...sum, prompt_tokens_details: { cached_tokens: 2 * prompts } });
  });
});

it.each(["plain", 'quotes " and \\', "\u0000\n😀\ud800", ""])("serializes %j as JSON.stringify does", (text) => {
  const make = (content: string) => ({ id: "a", choices: [{ delta: { content }, finish_reason: null }] });
  expect(chunkTemplate(make)(text)).toBe(JSON.stringify(make(text)));
});
