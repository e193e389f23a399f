import { createLogger, idempotentKey } from "@rhone/common";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { streamRecordOf } from "../answers/stream-records.js";
import { FRAME, testJob } from "../testing/events.js";
import { FakeRedis } from "../testing/fake-redis.js";
import { CLAIM_TTL_S, IdempotencyClaim, UNQUEUED_TTL_S } from "./idempotency-claim.js";
import { IdempotencyRecords, type StoredGeneration } from "./idempotency-records.js";

const claimant = { owner: "", ttlS: 60 };
const MINE = { claim: "mine", fingerprint: "f" };
const claimed = { owner: "", digest: "digest", claim: MINE.claim };
const key = idempotentKey("digest");
const answer = { status: 200, contentType: "application/json", body: "{}" };
const options = {
  ...FRAME,
  samples: 1,
  prompts: [{ ids: [1], text: "a", hiddenSpace: false }],
  echo: false,
  logprobs: null,
  promptLogprobs: null,
};
const record = streamRecordOf({ version: 1, kind: "completion", options }, [
  testJob({ deadlineAtMs: Date.now() + 60_000 }),
]);
const generation: StoredGeneration = { record, stream: true, withIds: false };

function setUp() {
  const redis = new FakeRedis();
  const records = new IdempotencyRecords(redis.kept);
  const logger = createLogger({ service: "gateway", level: "silent" });
  const claim = new IdempotencyClaim({ records, ...claimed, fingerprint: "f", mostS: 660, ttlS: 3600, logger });
  const found = async () => records.claim("digest", { fingerprint: "other" }, claimant);
  return { redis, records, claim, found };
}

describe("records", () => {
  it("are made once; the second claim finds the first", async () => {
    const { redis, records } = setUp();
    expect(await records.claim("digest", MINE, claimant)).toBeNull();
    expect(await records.claim("digest", { fingerprint: "g" }, claimant)).toMatchObject({ fingerprint: "f" });
    expect(redis.ttls.get(key)).toBe(60);
  });

  it("are found with what became of the request", async () => {
    const { records, found } = setUp();
    await records.claim("digest", MINE, claimant);
    await records.save(claimed, { fingerprint: "f", answer, generation }, 60);
    expect(await found()).toEqual({ version: 1, ...MINE, answer, generation });
  });

  it("of prompts above a mebibyte are not kept, and the key is free again after a large answer", async () => {
    const { redis, records, claim } = setUp();
    await records.claim("digest", MINE, claimant);
    const prompts = Array.from({ length: 16 }, () => ({ ids: Array(40_000).fill(1), text: "", hiddenSpace: false }));
    const long = streamRecordOf({ version: 1, kind: "completion", options: { ...options, prompts } }, [testJob()]);
    await claim.generates({ ...generation, record: long });
    expect(redis.texts.get(key)).toBe(JSON.stringify({ version: 1, ...MINE }));
    await claim.answered({ ...answer, body: "x".repeat(300_000) });
    expect(redis.texts.has(key)).toBe(false);
  });

  it("that expired are brought back by a late answer, unless another holds the key", async () => {
    const { redis, records, found } = setUp();
    await records.save(claimed, { fingerprint: "f", answer }, 60);
    expect(await found()).toMatchObject({ answer });
    redis.texts.delete(key);
    await records.claim("digest", { claim: "another", fingerprint: "f" }, claimant);
    const before = redis.texts.get(key);
    await expect(records.save(claimed, { fingerprint: "f", answer }, 60)).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_IN_USE",
    });
    expect(redis.texts.get(key)).toBe(before);
  });

  it("of the release before, without a version, are read", async () => {
    const { redis, found } = setUp();
    redis.texts.set(key, JSON.stringify({ fingerprint: "f", answer }));
    expect(await found()).toMatchObject({ fingerprint: "f", answer });
  });

  it.each([
    ["of a newer version", { version: 2, fingerprint: "f" }],
    ["without a fingerprint", { version: 1 }],
    ["with a newer generation", { fingerprint: "f", generation: { ...generation, record: { ...record, version: 2 } } }],
  ])("%s keep their key: the request must not run twice", async (_, stored) => {
    const { redis, found } = setUp();
    redis.texts.set(key, JSON.stringify(stored));
    await expect(found()).rejects.toMatchObject({ code: "RECORD_UNREADABLE" });
    expect(JSON.parse(redis.texts.get(key) ?? "")).toEqual(stored);
  });

  it("are read two at a time, however many ask for theirs at once", async () => {
    const { redis, records, found } = setUp();
    await records.claim("digest", MINE, claimant);
    const get = redis.get.bind(redis);
    const reading: (() => void)[] = [];
    let most = 0;
    redis.get = async (name) => {
      await new Promise<void>((resolve) => {
        most = Math.max(most, reading.push(resolve));
      });
      return get(name);
    };
    const answering = setInterval(() => {
      for (const answer of reading.splice(0)) answer();
    });
    const all = await Promise.all(Array.from({ length: 20 }, found));
    clearInterval(answering);
    expect(all).toEqual(all.map(() => expect.objectContaining({ fingerprint: "f" })));
    expect(most).toBe(2);
  });

  it("wait for Redis", async () => {
    const { redis, records, found } = setUp();
    redis.failure = new Error("connection refused");
    await expect(found()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    await expect(records.release(claimed)).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
  });
});

describe("a claim", () => {
  it("keeps a small answer for the time that is set", async () => {
    const { redis, records, claim, found } = setUp();
    await records.claim("digest", MINE, claimant);
    await claim.answered(answer);
    expect(await found()).toMatchObject({ answer });
    expect(redis.ttls.get(key)).toBe(3600);
  });

  it("keeps the way to a large answer or a stream no longer than its token logs", async () => {
    for (const large of [{ ...answer, body: "x".repeat(300_000) }, null]) {
      const { redis, records, claim, found } = setUp();
      await records.claim("digest", MINE, claimant);
      await claim.generates(generation);
      claim.queued();
      await expect.poll(() => redis.ttls.get(key)).toBeGreaterThan(600);
      await claim.answered(large);
      const kept = await found();
      expect([kept?.generation, kept?.answer]).toEqual([generation, undefined]);
      expect(redis.ttls.get(key)).toBe(590);
    }
  });

  it("frees the key of a large answer that cannot be written again", async () => {
    const { redis, records, claim } = setUp();
    await records.claim("digest", MINE, claimant);
    await claim.answered({ ...answer, body: "x".repeat(300_000) });
    expect(redis.texts.size).toBe(0);
  });

  it("frees the key after a failure, and not again when somebody else has it", async () => {
    const { redis, records, claim, found } = setUp();
    await records.claim("digest", MINE, claimant);
    await claim.failed();
    expect(await found()).toBeNull();
    await claim.failed();
    expect(redis.texts.size).toBe(1);
  });

  it("that expired does not generate when another holds the key by then, and leaves it the key", async () => {
    const { redis, records, claim } = setUp();
    await records.claim("digest", MINE, claimant);
    redis.texts.delete(key);
    await records.claim("digest", { claim: "another", fingerprint: "f" }, claimant);
    const before = redis.texts.get(key);
    await expect(claim.generates(generation)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_IN_USE" });
    await claim.answered(answer);
    await claim.failed();
    expect(redis.texts.get(key)).toBe(before);
  });

  it.each([
    ["ok", true],
    ["worker_lost", false],
    ["cancelled", true],
  ])("on a stream that ended %s is kept: %s", async (outcome, isKept) => {
    const { redis, records, claim } = setUp();
    await records.claim("digest", MINE, claimant);
    await claim.generates(generation);
    claim.ended(outcome);
    await expect.poll(() => redis.texts.has(key)).toBe(isKept);
  });

  it("is renewed until its job is queued, so that its key is free soon after its gateway has died", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const { redis, records, claim } = setUp();
    await records.claim("digest", MINE, { ...claimant, ttlS: CLAIM_TTL_S });
    const renewals = vi.spyOn(records, "lengthen");
    vi.advanceTimersByTime(3000);
    await claim.generates(generation);
    vi.advanceTimersByTime(1500);
    await expect.poll(() => renewals.mock.calls.length).toBe(3);
    expect(renewals.mock.calls.map(([, ttlS]) => ttlS)).toEqual([CLAIM_TTL_S, CLAIM_TTL_S, UNQUEUED_TTL_S]);
    expect([redis.texts.get(key)?.includes("generation"), redis.ttls.get(key)]).toEqual([true, UNQUEUED_TTL_S]);
    claim.queued();
    await expect.poll(() => redis.ttls.get(key)).toBeLessThan(UNQUEUED_TTL_S);
    claim.queued();
    vi.advanceTimersByTime(100_000);
    expect(renewals).toHaveBeenCalledTimes(4);
  });

  it("whose record is gone when its job is queued gets it back, once Redis takes it", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const { redis, records, claim } = setUp();
    await records.claim("digest", MINE, claimant);
    await claim.generates(generation);
    redis.texts.delete(key);
    const renewals = vi.spyOn(records, "lengthen");
    redis.failure = new Error("connection refused");
    claim.queued();
    await expect.poll(() => renewals.mock.settledResults[0]?.type).toBe("rejected");
    redis.failure = undefined;
    vi.advanceTimersByTime(1500);
    await expect.poll(() => redis.texts.get(key)).toContain("generation");
    expect(redis.ttls.get(key)).toBeGreaterThan(60);
  });

  it("is renewed for no longer than a request takes, and not after its end", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const [late, over] = [setUp(), setUp()];
    for (const { records } of [late, over]) await records.claim("digest", MINE, claimant);
    await over.claim.answered(answer);
    const [ofLate, ofOver] = [vi.spyOn(late.records, "lengthen"), vi.spyOn(over.records, "lengthen")];
    vi.advanceTimersByTime(3600_000);
    await expect.poll(() => ofLate.mock.calls.length).toBe(440);
    expect([ofLate.mock.calls.length, ofOver.mock.calls.length]).toEqual([660 / 1.5, 0]);
  });

  it("survives a Redis that is away: the record expires by itself", async () => {
    const { redis, claim } = setUp();
    redis.failure = new Error("connection refused");
    await expect(claim.answered(answer)).resolves.toBeUndefined();
    await expect(claim.failed()).resolves.toBeUndefined();
  });
});
