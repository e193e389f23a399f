import type { RecentRequest } from "@rhone/common";
import { expect, it } from "vitest";
import { phasesOf } from "./phases.tsx";

const request = (changes: Partial<RecentRequest>): RecentRequest => ({
  ...{ id: "a", route: "chat_completions", model: "m", owner: "", state: "ok", choices: 1, stream: true },
  ...{ resumable: false, arrivedAtMs: 1000, prepareMs: 5, firstTokenMs: 40, queuedMs: 30, decodeMs: 300 },
  ...{ promptTokens: 4, cachedTokens: 0, completionTokens: 9 },
  ...changes,
});
const ms = (changes: Partial<RecentRequest>, now = 2000) => phasesOf(request(changes), now).map((phase) => phase.ms);

it("are its preparation, its time in the queue, its prompt, and its answer", () =>
  expect(ms({})).toEqual([5, 30, 10, 300]));

it("go on while it waits, and end with it", () => {
  const waiting = { firstTokenMs: null, queuedMs: null, decodeMs: null };
  expect(ms({ ...waiting, state: "running" })).toEqual([5, 0, 995, 0]);
  expect(ms({ ...waiting, state: "cancelled" })).toEqual([5, 0, 0, 0]);
});
