import { RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { errorBody } from "../request-error.js";
import { collect, end, of } from "../testing/events.js";
import { spin } from "../testing/spin.js";
import { turnsDuring } from "../testing/turns-during.js";
import { hasTime } from "../turns.js";
import { completionsDialect, messagesDialect, responsesDialect } from "./dialect.js";
import { type Failing, failureLines, streamLines } from "./stream-lines.js";
import { formatPosition, parsePosition, type StreamPosition } from "./stream-position.js";
import { type ChoiceEvent, type Purpose, type Writer, wholeAnswer } from "./writer.js";

/** Writes one chunk per letter of an event's text, and "end" after all. */
const letters = (): Writer => ({
  dialect: completionsDialect,
  take: ({ choice, event }) => [...event.text].map((letter) => JSON.stringify(`${choice}${letter}`)),
  end: () => ['"end"'],
  whole: async () => null,
  usage: { prompt_tokens: 0, completion_tokens: 0, prompt_tokens_details: { cached_tokens: 0 } },
});

async function* playing(events: readonly ChoiceEvent[]) {
  yield* events;
}

const events = [of(0, { text: "ab" }), of(1, { text: "c" }), of(0, { text: "" }), end(0, { text: "d" }), end(1)];

const linesOf = (options: { withIds?: boolean; after?: StreamPosition } = {}) =>
  collect(streamLines(playing(events), { writer: letters(), choices: 2, withIds: false, ...options }));

describe("a stream", () => {
  it("is one part per event with all its chunks, and [DONE] at the end", async () => {
    expect(await linesOf()).toEqual([
      'data: "0a"\n\ndata: "0b"\n\n',
      'data: "1c"\n\n',
      'data: "0d"\n\n',
      'data: "end"\n\ndata: [DONE]\n\n',
    ]);
  });

  it("counts each choice's events in the ids, also those without a chunk", async () => {
    const ids = (await linesOf({ withIds: true })).join("").match(/^id: .*$/gm);
    expect(ids).toEqual(["id: 1.0:0:0", "id: 1.0:0:1", "id: 1.1:1:0", "id: 3.1:0:0", "id: 3.2:end:0"]);
  });

  it.each<[string, string[]]>([
    ["1.0:0:0", ["0b", "1c", "0d", "end"]],
    ["1.0:0:1", ["1c", "0d", "end"]],
    ["1.1:1:0", ["0d", "end"]],
    ["3.1:0:0", ["end"]],
    ["3.2:end:0", []],
  ])("after %s has %j", async (id, rest) => {
    const lines = await linesOf({ after: parsePosition(id, 2) });
    expect(lines.join("").match(/"\w+"/g) ?? []).toEqual(rest.map((text) => JSON.stringify(text)));
    expect(lines.at(-1)).toMatch(/data: \[DONE\]\n\n$/);
  });

  it.each([
    ["with log-probabilities", { logprobs: [] }],
    ["without", {}],
  ])("lets the event loop turn when events of many streams %s come at once", async (_, fields) => {
    const take = (): string[] => {
      spin(2);
      return [];
    };
    const costly: Writer = { ...letters(), take };
    const playOne = () => playing([of(0, { text: "a", ...fields })]);
    const write = () => collect(streamLines(playOne(), { writer: costly, choices: 1, withIds: false }));
    const { turns } = await turnsDuring(() => Promise.all(Array.from({ length: 64 }, write)));
    // 128 ms of work, at most 10 ms and one event in a turn.
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  it("that goes on behind an id makes no chunks of the events before it", async () => {
    const purposes: Purpose[] = [];
    const take: Writer["take"] = (_, purpose) => {
      purposes.push(purpose);
      return [];
    };
    const writer = { ...letters(), take };
    await collect(
      streamLines(playing(events), { writer, choices: 2, withIds: true, after: parsePosition("1.1:1:0", 2) }),
    );
    expect(purposes).toEqual(["later", "chunks", "chunks", "chunks", "chunks"]);
  });

  it.each([
    ["Messages", messagesDialect],
    ["Responses", responsesDialect],
  ])("of %s names each event by its type", async (_, dialect) => {
    const take: Writer["take"] = ({ event }) => [JSON.stringify({ type: "a.b_c", text: event.text })];
    const writer: Writer = { ...letters(), dialect, take, end: () => [] };
    const lines = (withIds: boolean) => collect(streamLines(playing([of(0)]), { writer, choices: 1, withIds }));
    const named = 'event: a.b_c\ndata: {"type":"a.b_c","text":"a"}\n\n';
    expect([await lines(false), await lines(true)]).toEqual([[named], [`id: 1:0:0\n${named}`]]);
  });

  it("tells its failure in the shape of its API, or as its writer does", () => {
    const error = new RhoneError("WORKER_LOST", "A worker left.");
    const line = (writer: Failing) => failureLines(writer, error, "r1");
    expect(line({ dialect: completionsDialect })).toBe(`data: ${JSON.stringify(errorBody(error))}\n\n`);
    const told = { type: "error", error: { type: "overloaded_error", message: "A worker left." }, request_id: "r1" };
    expect(line({ dialect: messagesDialect })).toBe(`event: error\ndata: ${JSON.stringify(told)}\n\n`);
    const failure: Writer["failure"] = ({ code }, id) => [JSON.stringify({ type: "response.failed", code, id })];
    expect(line({ dialect: responsesDialect, failure })).toBe(
      'event: response.failed\ndata: {"type":"response.failed","code":"WORKER_LOST","id":"r1"}\n\n',
    );
  });
});

describe("positions", () => {
  it.each<[string, StreamPosition]>([
    ["5:0:1", { taken: [5], choice: 0, chunk: 1 }],
    ["5.7:1:0", { taken: [5, 7], choice: 1, chunk: 0 }],
    ["5.7:end:0", { taken: [5, 7], choice: null, chunk: 0 }],
  ])("%s is read as it was written", (id, position) => {
    expect(parsePosition(id, position.taken.length)).toEqual(position);
    expect(formatPosition(position)).toBe(id);
  });

  it.each(["", "5", "5:0", "5:0:1:2", "a:0:1", "-1:0:0", "5.7:0:1", "0:0:0", "5:1:0", "5:end:x", "1234567890:0:0"])(
    "%j is no id of a stream with one choice",
    (id) => {
      const refusal = { code: "INVALID_REQUEST", param: "Last-Event-ID" };
      expect(() => parsePosition(id, 1)).toThrow(expect.objectContaining(refusal));
    },
  );
});

it("does not wait behind the events of whole answers", async () => {
  const went: string[] = [];
  const slow: Writer = {
    ...letters(),
    take: () => {
      spin(5);
      went.push("whole");
      return [];
    },
  };
  const answers = Array.from({ length: 40 }, () => wholeAnswer(playing([of(0), of(0), of(0)]), slow));
  await new Promise(setImmediate);
  const before = went.length;
  if (hasTime()) spin(25);
  for await (const _ of streamLines(playing([end(0, { text: "a" })]), {
    writer: letters(),
    choices: 1,
    withIds: false,
  })) {
    went.push("stream");
  }
  expect(before).toBeLessThan(80);
  // A turn has 10 ms, and the line of work may go first in it.
  expect(went.indexOf("stream") - before).toBeLessThanOrEqual(10);
  await Promise.all(answers);
});
