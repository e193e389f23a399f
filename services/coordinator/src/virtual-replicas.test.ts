import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { fakeJob } from "./testing/fake-job.js";
import { useRedis } from "./testing/use-redis.js";
import { type Choice, VirtualReplicas } from "./testing/virtual-replicas.js";

const CONVERSATIONS = 16;
const TURNS = 6;
const ANSWER = 64;
/** Tokens that all conversations begin with, with the first message, and of each later message. */
const [SYSTEM, FIRST, MESSAGE] = [256, 512, 64];
/** A tenth of what Mistral 7B in Q4_0 takes on two cores: 10 ms for a token, 500 rows of a prompt per second. */
const TIMES = { stageMs: 8, rowMs: 2 };

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});

const tokens = (seed: number, length: number): number[] =>
  Array.from({ length }, (_, index) => 300 + ((seed * 7919 + index * 31) % 30_000));

interface Talk {
  readonly count: number;
  readonly choice?: Choice;
  /** A replica is killed when half of all turns are answered. */
  readonly kills?: boolean;
}

/** All conversations at once, each turn as soon as the one before is answered. */
async function talk({ count, choice = "cost", kills = false }: Talk) {
  const replicas = new VirtualReplicas({ redis, count, times: TIMES, choice });
  let cached = 0;
  let answered = 0;
  let killed = false;
  const say = (conversation: number, turn: number, promptIds: number[]): void => {
    const requestId = `${conversation}-${turn}`;
    replicas.submit(fakeJob({ requestId, promptIds, maxTokens: ANSWER }), () => {
      const events = replicas.log.of(requestId);
      cached += events.at(-1)?.usage?.cachedTokens ?? 0;
      if (kills && !killed && ++answered >= (CONVERSATIONS * TURNS) / 2) {
        killed = true;
        replicas.kill(1);
      }
      const text = [...promptIds, ...events.flatMap((event) => event.tokens)];
      if (turn < TURNS) say(conversation, turn + 1, [...text, ...tokens(1000 + conversation * TURNS + turn, MESSAGE)]);
    });
  };
  for (let conversation = 0; conversation < CONVERSATIONS; conversation++)
    say(conversation, 1, [...tokens(0, SYSTEM), ...tokens(1 + conversation, FIRST - SYSTEM)]);
  await replicas.run();
  const { held } = replicas;
  const mean = held.reduce((sum, each) => sum + each, 0) / held.length;
  return { cached, longest: Math.max(...held) / mean, seconds: replicas.clock.nowMs / 1000 };
}

/** Park and Miller's generator, so that chance is the same every time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

it("conversations stay where they are cached, and the replicas are loaded alike, also when one is killed", async () => {
  const one = await talk({ count: 1 });
  await redis.flushall();
  const four = await talk({ count: 4 });
  await redis.flushall();
  const killed = await talk({ count: 4, kills: true });
  const random = await talk({ count: 4, choice: chance(1) });
  expect(four.cached).toBeGreaterThanOrEqual(0.95 * one.cached);
  expect(killed.cached).toBeGreaterThanOrEqual(0.95 * one.cached);
  expect(random.cached).toBeLessThan(0.8 * one.cached);
  expect(four.longest).toBeLessThanOrEqual(1.3);
  expect(killed.longest).toBeLessThanOrEqual(1.3);
  expect(four.seconds).toBeLessThan(0.5 * random.seconds);
}, 120_000);

describe("short requests", () => {
  const TOKENS = 100;
  const SEQUENCES = 16;
  const times = { stageMs: 50, rowMs: 0.1 };

  function submit(replicas: VirtualReplicas, requests: number): void {
    for (let request = 0; request < requests; request++) {
      const promptIds = tokens(request, 16);
      replicas.submit(fakeJob({ requestId: `${request}`, promptIds, maxTokens: TOKENS }), () => {});
    }
  }

  /** Tokens per second of requests that come at once, until the last has ended. */
  async function speed(count: number, requests: number): Promise<number> {
    await redis.flushall();
    const replicas = new VirtualReplicas({ redis, count, times, choice: "cost" });
    submit(replicas, requests);
    await replicas.run();
    return (1000 * requests * TOKENS) / replicas.clock.nowMs;
  }

  it("are answered as much faster as there are replicas, also when they are few", async () => {
    const one = await speed(1, SEQUENCES);
    expect(await speed(2, 2 * SEQUENCES)).toBeGreaterThanOrEqual(1.9 * one);
    expect(await speed(8, 8 * SEQUENCES)).toBeGreaterThanOrEqual(7.5 * one);
  }, 60_000);

  it("go to a replica that joins under load within a second", async () => {
    const replicas = new VirtualReplicas({ redis, count: 1, times, choice: "cost" });
    submit(replicas, 3 * SEQUENCES);
    let joined: readonly number[] = [];
    replicas.clock.after(2000, () => replicas.join());
    replicas.clock.after(3000, () => {
      joined = replicas.running;
    });
    await replicas.run();
    expect(joined).toEqual([SEQUENCES, SEQUENCES]);
  }, 60_000);
});
