import { type GenerationEvent, RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { keepsTo } from "../../../../test/schemas/keeps-to.js";
import { response, responseEvents } from "../../../../test/schemas/openai-responses.js";
import type { Schema } from "../../../../test/schemas/schema-parts.js";
import { ResponseWriter, type ResponseWriterOptions } from "./response-writer.js";

const echo = {
  background: false,
  instructions: null,
  metadata: {},
  parallel_tool_calls: true,
  temperature: 1,
  tool_choice: "auto",
  tools: [],
  top_p: 1,
};
const options: ResponseWriterOptions = {
  ...{ id: "resp_0", created: 1_700_000_000, modelName: "tiny", stripsSpace: true, opening: "", wantsLogprobs: false },
  calls: null,
  warnings: [],
  echo,
};
const calls = { marker: null, forced: false, names: ["f"], parallel: true };
/** Bytes, except for control tokens and a few longer ones. */
const PIECES: Readonly<Record<number, string>> = { 200: " He", 201: "llo", 202: " so" };
const model = {
  pieceBytes: (id: number, { special }: { readonly special: boolean }) => {
    if (id < 32) return Buffer.from(special ? "</s>" : "");
    const piece = PIECES[id];
    return piece === undefined ? Buffer.from([id]) : Buffer.from(piece);
  },
};

const usage = { promptTokens: 7, completionTokens: 2, cachedTokens: 3 };
const stop = { reason: "stop" as const, matched: 2 };
const length = { reason: "length" as const };
type Given = Partial<GenerationEvent>;
const text = (text: string, more: Given = {}): Given => ({ tokens: [72], text, ...more });

interface Said {
  readonly type: string;
  readonly sequence_number: number;
  readonly [field: string]: unknown;
}

function writing(
  given: readonly Given[],
  purpose: "chunks" | "whole",
  changes: Partial<ResponseWriterOptions> = {},
  after?: number,
) {
  const writer = new ResponseWriter({ ...options, ...changes }, model, after);
  const said = given.flatMap((event, ordinal) =>
    writer.take({ choice: 0, event: { requestId: "r", ordinal, tokens: [], text: "", ...event } }, purpose),
  );
  return { writer, said };
}

function stream(given: readonly Given[], changes: Partial<ResponseWriterOptions> = {}, after = -1): readonly Said[] {
  const { writer, said } = writing(given, "chunks", changes, after);
  const events = [...said, ...writer.end()].map((json) => JSON.parse(json) as Said);
  for (const [index, event] of events.entries()) {
    expect(event.sequence_number).toBe(after + 1 + index);
    keepsTo(event, responseEvents[event.type] as Schema);
  }
  return events;
}

const whole = async (given: readonly Given[], changes: Partial<ResponseWriterOptions> = {}) => {
  const said = JSON.parse(JSON.stringify(await writing(given, "whole", changes).writer.whole(), spread));
  keepsTo(said, response);
  return said;
};
/** Lists that are made as they are written. */
const spread = (_: string, value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Symbol.iterator in value
    ? [...(value as Iterable<unknown>)]
    : value;

const CALL = '{"name": "f", "arguments": {"a": 1}}';

describe.each<[string, readonly Given[], Partial<ResponseWriterOptions>, readonly string[]]>([
  ["a text", [text(" He"), text("llo", { finish: stop, usage })], {}, ["message"]],
  ["no text", [text("", { finish: stop, usage })], {}, ["message"]],
  ["a text that is cut", [text(" He", { finish: length, usage })], {}, ["message"]],
  ["a call", [text(CALL, { finish: stop, usage })], { calls }, ["function_call"]],
  [
    "two calls",
    [text(`[${CALL},`), text(`${CALL}]`, { finish: stop, usage })],
    { calls },
    ["function_call", "function_call"],
  ],
  ["a call before a text", [text(CALL), text(" so", { finish: stop, usage })], { calls }, ["function_call", "message"]],
  ["a text like a call", [text('{"name": "g"'), text("}", { finish: stop, usage })], { calls }, ["message"]],
])("a response of %s", (_, given, changes, types) => {
  it("says the same whole, streamed, and from any event on", async () => {
    const events = stream(given, changes);
    const last = events.at(-1)?.response as { readonly output: readonly { readonly type: string }[] };
    expect(last).toEqual(await whole(given, changes));
    expect(last.output.map(({ type }) => type)).toEqual(types);
    for (const { sequence_number } of events.slice(0, -1))
      expect(stream(given, changes, sequence_number)).toEqual(events.slice(sequence_number + 1));
  });

  it("closes every item before the next one begins", () => {
    let open = -1;
    for (const { type, output_index } of stream(given, changes)) {
      if (type === "response.output_item.added") expect([open, output_index]).toEqual([-1, output_index]);
      if (output_index !== undefined) open = output_index as number;
      if (type === "response.output_item.done") open = -1;
    }
  });
});

it("a text has one delta for each event, and one end", () => {
  const events = stream([text(" He"), text("llo", { finish: stop, usage })]);
  expect(events.map(({ type }) => type.replace("response.", ""))).toEqual([
    "created",
    "in_progress",
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "completed",
  ]);
  expect(events[6]).toMatchObject({ text: "Hello", item_id: "msg_0o0", output_index: 0, content_index: 0 });
  expect(events[9]).toMatchObject({
    response: {
      usage: { input_tokens: 7, input_tokens_details: { cached_tokens: 3 }, output_tokens: 2, total_tokens: 9 },
    },
  });
});

it("a text that is cut is incomplete, in its item and in the response", () => {
  const last = stream([text(" He", { finish: length, usage })]).at(-1);
  const output = [{ status: "incomplete" }];
  const incomplete_details = { reason: "max_output_tokens" };
  expect(last).toMatchObject({
    type: "response.incomplete",
    response: { status: "incomplete", incomplete_details, output },
  });
});

it("log-probabilities come with the deltas of a stream, and whole with their bytes", async () => {
  const scored = (token: number) => ({ logprobs: [{ token, logprob: -1, top: [[token, -1]] as [number, number][] }] });
  const given = [text(" H", scored(72)), text("", scored(73)), text("i", { ...scored(74), finish: stop, usage })];
  const events = stream(given, { wantsLogprobs: true });
  const deltas = events.filter(({ type }) => type === "response.output_text.delta");
  expect(deltas.map(({ logprobs }) => (logprobs as { token: string }[]).map(({ token }) => token))).toEqual([
    ["H"],
    ["I", "J"],
  ]);
  const { output } = await whole(given, { wantsLogprobs: true });
  expect(output[0].content[0].logprobs.map(({ bytes }: { bytes: number[] }) => bytes)).toEqual([[72], [73], [74]]);
});

const scores = (...tokens: readonly number[]) => ({
  logprobs: tokens.map((token) => ({ token, logprob: -1, top: [[token, -1]] as [number, number][] })),
});
const CALL_SCORES = scores(...Buffer.from(CALL));

describe.each<[string, readonly Given[], Partial<ResponseWriterOptions>, readonly string[]]>([
  [
    "the tokenizer's space",
    [text(" He", scores(200)), text("llo", { ...scores(201), finish: stop, usage })],
    {},
    ["He", "llo"],
  ],
  [
    "a token that is nothing else",
    [text(" ", scores(32)), text("Hi", { ...scores(72, 105), finish: stop, usage })],
    {},
    ["H", "i"],
  ],
  ["an end token", [text(" He", scores(200)), text("", { ...scores(2), finish: stop, usage })], {}, ["He"]],
  [
    "what a stop string cuts off",
    [text(" He", scores(200)), text("l", { ...scores(201, 33), finish: { reason: "stop", matched: "lo" }, usage })],
    {},
    ["He", "l"],
  ],
  [
    "the calls before a text",
    [text(CALL, CALL_SCORES), text(" so", { ...scores(202), finish: stop, usage })],
    { calls },
    [" so"],
  ],
  [
    "nothing of a text without a hidden space",
    [text(" He", { ...scores(200), finish: stop, usage })],
    { stripsSpace: false },
    [" He"],
  ],
])("log-probabilities leave out %s", (_, given, changes, tokens) => {
  const asked = { ...changes, wantsLogprobs: true };
  interface Score {
    readonly token: string;
    readonly bytes?: readonly number[];
    readonly top_logprobs: readonly { readonly token: string }[];
  }

  it("streamed", () => {
    const deltas = stream(given, asked).filter(({ type }) => type === "response.output_text.delta");
    const listed = deltas.flatMap(({ logprobs }) => logprobs as Score[]);
    expect(listed.map(({ token }) => token)).toEqual(tokens);
    expect(deltas.map(({ delta }) => delta).join("")).toBe(tokens.join(""));
    for (const { delta, logprobs } of deltas) expect([delta, logprobs]).not.toEqual(["", []]);
  });

  it("whole, with their bytes and alternatives", async () => {
    const { output } = await whole(given, asked);
    const { text: said, logprobs } = output.at(-1).content[0];
    expect(logprobs.map(({ token, bytes = [] }: Score) => [token, Buffer.from(bytes).toString()])).toEqual(
      tokens.map((token) => [token, token]),
    );
    expect(said).toBe(tokens.join(""));
    expect(logprobs[0].top_logprobs[0].token).toBe(tokens[0]);
  });
});

it("a response in the background begins queued, before it has a token", () => {
  const writer = new ResponseWriter({ ...options, echo: { ...echo, background: true } }, model);
  const first = writer.opening().map((json) => JSON.parse(json));
  expect(first.map(({ type, response: { status } }) => [type, status])).toEqual([
    ["response.created", "queued"],
    ["response.queued", "queued"],
    ["response.in_progress", "in_progress"],
  ]);
  expect(
    writer.take({ choice: 0, event: { requestId: "r", ordinal: 0, tokens: [1], text: "a" } }, "chunks")[0],
  ).toContain("output_item.added");
});

it("a generation that fails ends with response.failed, a reader's failure with an error", () => {
  const failing = (error: RhoneError, given: readonly Given[] = [text(" He")]) => {
    const said = writing(given, "chunks")
      .writer.failure(error)
      .map((json) => JSON.parse(json) as Said);
    for (const one of said) keepsTo(one, responseEvents[one.type] as Schema);
    return said.at(-1);
  };
  const lost = failing(new RhoneError("WORKER_LOST", "Lost."));
  const output = [{ status: "incomplete", content: [{ text: "He" }] }];
  expect(lost).toMatchObject({ type: "response.failed", sequence_number: 5, response: { status: "failed", output } });
  expect(failing(new RhoneError("REDIS_UNAVAILABLE", "Away."))).toMatchObject({
    type: "error",
    code: "redis_unavailable",
  });
  const early = failing(new RhoneError("QUEUE_FULL", "Full."), []);
  expect(early).toMatchObject({ type: "response.failed", sequence_number: 2 });
});

it("tells what its schema did not hold it to once it is over, whole and streamed", async () => {
  const warnings = [{ param: "text.format", path: "#", reason: "has the keyword if" }];
  const streamed = writing([text("a", { finish: stop, usage })], "chunks", { warnings });
  expect(streamed.said[0]).not.toContain("warnings");
  expect(JSON.parse(streamed.writer.end()[0] ?? "")).toMatchObject({
    type: "response.completed",
    response: { warnings },
  });
  const { writer } = writing([text("a", { finish: stop, usage })], "whole", { warnings });
  expect(await writer.whole()).toMatchObject({ warnings });
});
