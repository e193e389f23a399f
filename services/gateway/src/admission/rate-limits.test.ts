import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { event, testJob } from "../testing/events.js";
import { memoryBudgets } from "../testing/memory-budgets.js";
import type { Budgets } from "./budgets.js";
import { RateLimits } from "./rate-limits.js";
import { TokenAccount, tokensFor } from "./token-account.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const limitsOf = () => new RateLimits({ requests: memoryBudgets(), tokens: memoryBudgets() });
const caller = (requests: number | null, tokens: number | null, owner = "team") => ({
  owner,
  limits: { requests, tokens },
});

const away: Budgets = {
  take: () => Promise.reject(new Error("connection refused")),
  correct: () => Promise.reject(new Error("connection refused")),
};

describe("requests", () => {
  it("are counted up to the limit, and not beyond", async () => {
    const limits = limitsOf();
    const standings = [];
    for (let request = 0; request < 3; request++) standings.push(await limits.takeRequest(caller(2, null)));
    expect(standings.map((standing) => [standing?.isWithin, standing?.remaining])).toEqual([
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
    expect(standings[2]).toMatchObject({ limit: 2, resetMs: 60_000, retryMs: 30_000 });
    vi.advanceTimersByTime(30_000);
    expect(await limits.takeRequest(caller(2, null))).toMatchObject({ isWithin: true, resetMs: 60_000, remaining: 0 });
  });

  it("of no moment are more than a limit, wherever a minute ends", async () => {
    const limits = limitsOf();
    const admitted: number[] = [];
    const burst = async (atMs: number): Promise<void> => {
      vi.setSystemTime(atMs);
      for (let request = 0; request < 200; request++) {
        if ((await limits.takeRequest(caller(100, null)))?.isWithin) admitted.push(atMs);
      }
    };
    for (const atMs of [1e9, 1e9 + 59_900, 1e9 + 60_100, 1e9 + 119_900, 1e9 + 120_100]) await burst(atMs);
    const moments = admitted.map((from) => admitted.filter((at) => at >= from && at < from + 1000).length);
    expect(Math.max(...moments)).toBe(100);
    expect(admitted).toHaveLength(300);
  });

  it("of callers without a limit are not counted", async () => {
    expect(await limitsOf().takeRequest(caller(null, null))).toBeNull();
  });

  it("of one caller leave another's alone, also the nameless one's", async () => {
    const limits = limitsOf();
    for (const owner of ["a", "b", ""]) {
      expect(await limits.takeRequest(caller(1, null, owner))).toMatchObject({ isWithin: true });
    }
  });

  it("wait for Redis", async () => {
    const limits = new RateLimits({ requests: away, tokens: away });
    await expect(limits.takeRequest(caller(1, null))).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    await expect(limits.reserveTokens(caller(null, 1), 1)).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
  });
});

describe("tokens", () => {
  const left = async (limits: RateLimits) => (await limits.reserveTokens(caller(null, 100), 0))?.standing.remaining;

  it("are reserved where they fit", async () => {
    const limits = limitsOf();
    expect((await limits.reserveTokens(caller(null, 100), 60))?.standing).toMatchObject({
      isWithin: true,
      remaining: 40,
    });
  });

  it("that do not fit are left to smaller requests", async () => {
    const limits = limitsOf();
    await limits.reserveTokens(caller(null, 100), 60);
    const refused = await limits.reserveTokens(caller(null, 100), 41);
    expect(refused?.standing).toMatchObject({ isWithin: false, remaining: 40 });
    await refused?.settle(99);
    expect(await left(limits)).toBe(40);
  });

  it.each([
    [10, 90],
    [60, 40],
    [75, 25],
  ])("%d used of 60 reserved leave %d of 100", async (used, remaining) => {
    const limits = limitsOf();
    await (await limits.reserveTokens(caller(null, 100), 60))?.settle(used);
    expect(await left(limits)).toBe(remaining);
  });

  it("are settled by what was kept of their reservation, at another gateway", async () => {
    const tokens = memoryBudgets();
    const both = { requests: memoryBudgets(), tokens };
    const [here, there] = [new RateLimits(both), new RateLimits(both)];
    const reservation = await here.reserveTokens(caller(null, 100), 60);
    const kept = JSON.parse(JSON.stringify(reservation?.reserved));
    await there.settle("team", kept, 10);
    expect(await left(here)).toBe(90);
  });

  it.each([
    [0, 0, 90],
    [3000, 5, 90],
    [30_000, 50, 50],
    [60_000, 40, 60],
  ])(
    "settled after %d ms, when %d others were taken, leave %d of 100, as if 10 had been reserved",
    async (...numbers) => {
      const [afterMs, taken, remaining] = numbers;
      const limits = limitsOf();
      const reservation = await limits.reserveTokens(caller(null, 100), 100);
      vi.advanceTimersByTime(afterMs);
      expect((await limits.reserveTokens(caller(null, 100), taken))?.standing.isWithin).toBe(true);
      await reservation?.settle(10);
      expect(await left(limits)).toBe(remaining);
    },
  );

  it("used beyond their reservation are owed", async () => {
    const limits = limitsOf();
    await (await limits.reserveTokens(caller(null, 100), 60))?.settle(150);
    const next = await limits.reserveTokens(caller(null, 100), 10);
    expect(next?.standing).toMatchObject({ isWithin: false, remaining: 0, resetMs: 90_000, retryMs: 36_000 });
  });

  it("are not settled without Redis", async () => {
    const tokens = memoryBudgets();
    const limits = new RateLimits({ requests: memoryBudgets(), tokens: { ...tokens, correct: away.correct } });
    const reservation = await limits.reserveTokens(caller(null, 100), 60);
    await expect(reservation?.settle(10)).resolves.toBeUndefined();
  });
});

describe("the tokens that a request may cost", () => {
  it.each([
    [true, 3000, 3003],
    [false, 3000, 515],
    [false, 100, 103],
  ])("limited by itself = %s, with room for %d: %d", (isStated, maxTokens, most) => {
    expect(tokensFor([testJob({ maxTokens })], isStated)).toBe(most);
  });

  it("are those of all its choices", () => {
    expect(tokensFor([testJob({ maxTokens: 5 }), testJob({ maxTokens: 7 })], true)).toBe(18);
  });
});

describe("the tokens that a request used", () => {
  const jobs = [testJob(), testJob()];
  /** What the account settles; undefined: nothing, so all that was reserved counts. */
  function settled(events: number, outcome: string, detached = false): number | undefined {
    let used: number | undefined;
    const settle = async (tokens: number) => {
      used = tokens;
    };
    const account = new TokenAccount({ reservation: { settle }, jobs, detached: () => detached });
    for (let count = 0; count < events; count++) account.took(event({ tokens: [1, 2] }));
    account.ended(outcome);
    return used;
  }

  it.each<[string, number, string, boolean, number | undefined]>([
    ["prompts and answers", 3, "ok", false, 12],
    ["prompts and the part of an answer that failed", 1, "worker_lost", false, 8],
    ["nothing before a first token", 0, "worker_lost", false, 0],
    ["prompts, though the client left before a first token", 0, "cancelled", false, 6],
    ["prompts and the part that the client saw", 1, "cancelled", false, 8],
    ["all, where generation goes on without the client", 1, "cancelled", true, undefined],
    ["what was generated, where the client stayed", 1, "ok", true, 8],
  ])("are %s", (_, events, outcome, detached, used) => expect(settled(events, outcome, detached)).toBe(used));

  it("of a caller without a limit are not settled", () => {
    const account = new TokenAccount({ reservation: null, jobs, detached: () => false });
    expect(() => account.ended("ok")).not.toThrow();
  });
});
