import { RateLimiterMemory } from "rate-limiter-flexible";
import { describe, expect, it, vi } from "vitest";
import { event, testJob } from "../testing/events.js";
import { type PointCounter, RateLimits } from "./rate-limits.js";
import { TokenAccount, tokensFor } from "./token-account.js";

const counter = () => new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: 60 });
const limitsOf = () => new RateLimits({ requests: counter(), tokens: counter() });
const caller = (requests: number | null, tokens: number | null, owner = "team") => ({
  owner,
  limits: { requests, tokens },
});

const away: PointCounter = {
  consume: () => Promise.reject(new Error("connection refused")),
  penalty: () => Promise.reject(new Error("connection refused")),
  reward: () => Promise.reject(new Error("connection refused")),
};

describe("requests", () => {
  it("are counted up to the limit, and beyond", async () => {
    const limits = limitsOf();
    const standings = [];
    for (let request = 0; request < 3; request++) standings.push(await limits.takeRequest(caller(2, null)));
    expect(standings.map((standing) => [standing?.isWithin, standing?.remaining])).toEqual([
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
    expect(standings[2]).toMatchObject({ limit: 2, resetMs: expect.any(Number) });
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
    const tokens = counter();
    const [here, there] = [0, 1].map(() => new RateLimits({ requests: counter(), tokens })) as [RateLimits, RateLimits];
    const reservation = await here.reserveTokens(caller(null, 100), 60);
    const kept = JSON.parse(JSON.stringify(reservation?.reserved));
    await there.settle("team", kept, 10);
    expect(await left(here)).toBe(90);
  });

  it("are not corrected once their window ends, nor without Redis", async () => {
    const tokens = counter();
    const reward = vi.spyOn(tokens, "reward");
    const reservation = await new RateLimits({ requests: counter(), tokens }).reserveTokens(caller(null, 100), 60);
    const now = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(now + 59_500);
    await reservation?.settle(10);
    clock.mockRestore();
    expect(reward).not.toHaveBeenCalled();
    reward.mockRejectedValue(new Error("connection refused"));
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
    const account = new TokenAccount({ reservation: { settle }, jobs, detached });
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
    const account = new TokenAccount({ reservation: null, jobs, detached: false });
    expect(() => account.ended("ok")).not.toThrow();
  });
});
