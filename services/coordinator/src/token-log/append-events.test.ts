import {
  eventsChannel,
  FINISHED_LOG_TTL_S,
  type GenerationEvent,
  jobLockKey,
  OPEN_LOG_TTL_S,
  tokenLogEntryId,
  tokenLogKey,
} from "@rhone/common";
import { describe, expect, it } from "vitest";
import { appendArguments, joinEvents } from "./append-events.js";

const ownerOf = (requestId: string, replyTo: string) => ({
  requestId,
  replyTo,
  keyId: "",
  model: "m",
  lane: "interactive" as const,
});
const logged = (requestId: string, ordinal: number, more: Partial<GenerationEvent> = {}) => ({
  owner: ownerOf(requestId, `gateway of ${requestId}`),
  event: { requestId, ordinal, tokens: [ordinal + 70], text: String(ordinal), ...more },
});
const tokenOf = (requestId: string) => `token of ${requestId}`;
const score = (token: number) => ({ token, logprob: -token, top: [] });
const usage = { promptTokens: 1, completionTokens: 3, cachedTokens: 0 };

it("leaves events of different requests as they are", () => {
  const events = [logged("a", 3), logged("b", 0)];
  expect(joinEvents(events)).toBe(events);
});

it("makes one event of those of a request, which says how many it joins", () => {
  const finish = { reason: "length" as const };
  const events = [
    logged("a", 0, { promptLogprobs: [score(9)], logprobs: [score(70)] }),
    logged("b", 5),
    logged("a", 1, { promptLogprobs: [score(10)], logprobs: [score(71)] }),
    logged("a", 2, { tokens: [], text: "", finish, usage }),
  ];
  expect(joinEvents(events)).toEqual([
    logged("a", 0, {
      joins: 3,
      tokens: [70, 71],
      text: "01",
      promptLogprobs: [score(9), score(10)],
      logprobs: [score(70), score(71)],
      finish,
      usage,
    }),
    logged("b", 5),
  ]);
});

describe("appendArguments", () => {
  it("groups events by gateway, each with its channel and count, and names logs and locks in that order", () => {
    const events = [logged("a", 0), logged("b", 3), { ...logged("c", 1), owner: ownerOf("c", "gateway of a") }];
    const { keys, args, order, sizes } = appendArguments(events, tokenOf);
    expect(keys).toEqual(
      ["a", "c", "b"].flatMap((id) => [
        tokenLogKey(id),
        jobLockKey({ requestId: id, model: "m", lane: "interactive" }),
      ]),
    );
    expect(sizes).toEqual([3, 7, 13].map((at) => args[at]?.length));
    expect(order.map(({ event }) => event.requestId)).toEqual(["a", "c", "b"]);
    expect([args[0], args[1], args[10], args[11]]).toEqual([
      eventsChannel("gateway of a"),
      "2",
      eventsChannel("gateway of b"),
      "1",
    ]);
    const first = [tokenLogEntryId(0), JSON.stringify(events[0]?.event), String(OPEN_LOG_TTL_S), "token of a"];
    expect(args.slice(2, 6)).toEqual(first);
  });

  it.each([
    { ordinal: 0, more: {}, seconds: String(OPEN_LOG_TTL_S), why: "the first event starts the log's life" },
    { ordinal: 1, more: {}, seconds: "", why: "later events leave it" },
    {
      ordinal: 9,
      more: { finish: { reason: "length" as const } },
      seconds: String(FINISHED_LOG_TTL_S),
      why: "the last",
    },
    {
      ordinal: 0,
      more: { finish: { reason: "length" as const } },
      seconds: String(FINISHED_LOG_TTL_S),
      why: "the only",
    },
  ])('sets the time to live to "$seconds": $why', ({ ordinal, more, seconds }) => {
    expect(appendArguments([logged("a", ordinal, more)], tokenOf).args.at(-2)).toBe(seconds);
  });
});
