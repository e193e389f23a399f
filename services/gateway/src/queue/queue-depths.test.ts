import { placesKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import { readQueueDepths } from "./queue-depths.js";

/** A Redis that has these sorted sets. */
function redisWith(sets: Readonly<Record<string, readonly (readonly [string, number])[]>>): Redis {
  const answers: [null, unknown][] = [];
  const answering = (answer: (key: string) => unknown) => (key: string) => {
    answers.push([null, answer(key)]);
    return pipeline;
  };
  const pipeline: object = {
    zcard: answering((key) => sets[key]?.length ?? 0),
    zrange: answering((key) => (sets[key]?.[0] ?? []).map(String)),
    exec: async () => answers,
  };
  return { pipeline: () => pipeline } as unknown as Redis;
}

it("counts each lane of each model, and says since when its first choice waits", async () => {
  const places = [
    ["job-1", 500],
    ["job-2", 900],
  ] as const;
  const redis = redisWith({ [placesKey({ model: "b", lane: "batch" })]: places });
  expect(await readQueueDepths(redis, ["a", "b"])).toEqual([
    { model: "a", lane: "interactive", waiting: 0, oldestAtMs: null },
    { model: "a", lane: "batch", waiting: 0, oldestAtMs: null },
    { model: "b", lane: "interactive", waiting: 0, oldestAtMs: null },
    { model: "b", lane: "batch", waiting: 2, oldestAtMs: 500 },
  ]);
});

it("throws REDIS_UNAVAILABLE when Redis does not answer", async () => {
  const redis = {
    pipeline: () => ({ zcard: () => ({ zrange: () => {} }), exec: () => Promise.reject(new Error("gone")) }),
  };
  await expect(readQueueDepths(redis as unknown as Redis, ["a"])).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
});
