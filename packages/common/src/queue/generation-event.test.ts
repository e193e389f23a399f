import { describe, expect, it } from "vitest";
import { decodeEvent, decodeEvents, encodeEvents, type GenerationEvent, ordinalAfter } from "./generation-event.js";
import { eventsChannel, placesKey, queueName, tokenLogEntryId, tokenLogKey, turnsKey } from "./redis-names.js";

const event: GenerationEvent = { requestId: "r1", ordinal: 0, tokens: [7, 8], text: "hi" };
const usage = { promptTokens: 3, completionTokens: 2, cachedTokens: 1 };
const decode = (changes: object) => decodeEvent(JSON.stringify({ ...event, ...changes }));

describe("events read back from Redis", () => {
  it.each<[string, Partial<GenerationEvent>]>([
    ["a first one with prompt scores", { promptLogprobs: [{ token: 1, logprob: -0.5, top: [[2, -0.25]] }] }],
    ["one with scores", { logprobs: [{ token: 7, logprob: -1, top: [] }] }],
    ["a joint one", { ordinal: 4, joins: 3 }],
    ["one without tokens", { tokens: [], text: "" }],
    ["a last one, at its length", { finish: { reason: "length" }, usage }],
    ["a last one, at a stop string", { finish: { reason: "stop", matched: "END" }, usage }],
    ["a last one, at an end token", { finish: { reason: "stop", matched: 2 }, usage }],
    ["a cancelled one", { finish: { reason: "cancelled" } }],
    ["a failed one", { finish: { reason: "error", code: "KV_FULL", message: "No page is free." } }],
    ["an embedding", { embedding: "AACAPw==", finish: { reason: "length" }, usage }],
  ])("are what was written: %s", (_, changes) => {
    const written = { ...event, ...changes };
    expect(decodeEvents(encodeEvents([event, written]))).toEqual([event, written]);
  });

  it("have no key for what is absent", () => expect(Object.keys(decode({}))).toEqual(Object.keys(event)));

  it("may have a log-probability of minus infinity", () => {
    const logprobs = [{ token: 7, logprob: Number.NEGATIVE_INFINITY, top: [[1, Number.NEGATIVE_INFINITY]] }];
    expect(decode({ logprobs }).logprobs).toEqual(logprobs);
  });

  it("lose fields that a later version adds to a log-probability", () => {
    const logprob = { token: 7, logprob: -1, top: [] };
    expect(decode({ logprobs: [{ ...logprob, mood: "good" }] }).logprobs).toEqual([logprob]);
  });

  it("lose fields that a later version adds", () => expect(decode({ mood: "good" })).toEqual(event));

  it("call an error of a later version INTERNAL", () => {
    const finish = { reason: "error", code: "NEW_IN_VERSION_9", message: "Something new." };
    expect(decode({ finish }).finish).toEqual({ ...finish, code: "INTERNAL" });
  });

  it.each([
    ["another version", { version: 2 }],
    ["no text", { text: undefined }],
    ["a token that is no number", { tokens: ["7"] }],
    ["a token below zero", { tokens: [-1] }],
    ["an ordinal that is no whole number", { ordinal: 0.5 }],
    ["a joint event of nothing", { joins: 0 }],
    ["a log-probability that is text", { logprobs: [{ token: 1, logprob: "-1", top: [] }] }],
    ["an alternative without a value", { logprobs: [{ token: 1, logprob: -1, top: [[2]] }] }],
    ["a list of alternatives that is none", { promptLogprobs: [{ token: 1, logprob: -1, top: {} }] }],
    ["an end for an unknown reason", { finish: { reason: "bored" } }],
  ])("are refused with %s", (_, changes) => expect(() => decode(changes)).toThrow());

  it.each(["", "{", "[]", "null", '"event"'])("%j is no event", (entry) => expect(() => decodeEvent(entry)).toThrow());

  it("are refused all together when one of them is", () => {
    expect(() => decodeEvents(JSON.stringify([event, { ...event, ordinal: -1 }]))).toThrow();
  });
});

it.each([
  [event, 1],
  [{ ...event, ordinal: 5, joins: 3 }, 8],
])("the ordinal after %j", (earlier, next) => expect(ordinalAfter(earlier)).toBe(next));

describe("names in Redis", () => {
  it("number a log's entries from 1, since Redis has no entry 0-0", () => {
    expect([0, 1, 41].map(tokenLogEntryId)).toEqual(["1-0", "2-0", "42-0"]);
  });

  it("keep requests and gateways apart", () => {
    expect([tokenLogKey("a"), eventsChannel("a")]).toEqual(["{rhone}:log:a", "{rhone}:events:a"]);
  });

  it("keep the queues of models and lanes apart, whatever the models are called", () => {
    const models = ["batch", "a", "a:b", "a/b", "a%2Fb", "ü"];
    const queues = models.flatMap((model) => [
      { model, lane: "interactive" } as const,
      { model, lane: "batch" } as const,
    ]);
    for (const nameOf of [queueName, turnsKey, (queue: (typeof queues)[number]) => placesKey(queue)])
      expect(new Set(queues.map(nameOf)).size).toBe(queues.length);
    // BullMQ keeps ":" for itself.
    expect(queues.map(queueName).filter((name) => name.includes(":"))).toEqual([]);
    expect(queueName({ model: "org/m 7b", lane: "batch" })).toBe("generate-batch/org%2Fm%207b");
    expect(placesKey({ model: "a", lane: "interactive" }, "key")).toBe("{rhone}:places:interactive/a:key");
  });
});
