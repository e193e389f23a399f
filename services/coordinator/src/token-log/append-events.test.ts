import type { GenerationEvent } from "@rhone/common";
import { expect, it } from "vitest";
import { joinEvents } from "./append-events.js";

const logged = (requestId: string, ordinal: number, more: Partial<GenerationEvent> = {}) => ({
  replyTo: `gateway of ${requestId}`,
  event: { requestId, ordinal, tokens: [ordinal + 70], text: String(ordinal), ...more },
});
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
    logged("a", 1, { logprobs: [score(71)] }),
    logged("a", 2, { tokens: [], text: "", finish, usage }),
  ];
  expect(joinEvents(events)).toEqual([
    logged("a", 0, {
      joins: 3,
      tokens: [70, 71],
      text: "01",
      promptLogprobs: [score(9)],
      logprobs: [score(70), score(71)],
      finish,
      usage,
    }),
    logged("b", 5),
  ]);
});
