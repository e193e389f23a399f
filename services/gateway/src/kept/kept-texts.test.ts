import { openRedis } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";
import { type KeptText, KeptTexts } from "./kept-texts.js";

const KiB = 1024;
/** Room for ten texts of 1 KiB, of which each counts 2. */
const mostBytes = 20 * KiB;

let valkey: TestValkey;
let redis: Redis;
let kept: KeptTexts;
beforeAll(async () => {
  valkey = await startValkey();
  redis = await openRedis({ url: valkey.url, name: "test", waits: true, onError: () => {} });
  kept = new KeptTexts(redis, { kind: "test", mostBytes });
});
beforeEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await valkey.stop();
});

const text = "x".repeat(KiB);
const keep = (key: string, changes: Partial<KeptText> = {}) =>
  kept.keep(key, { owner: "a", text, ttlS: 60, ...changes });
async function keepAll(keys: string, changes: Partial<KeptText> = {}): Promise<void> {
  for (const key of keys) await keep(key, changes);
}
const found = async () => (await redis.keys("?")).sort().join("");

describe("texts within the bound", () => {
  it("are all kept, for their time to live", async () => {
    await keepAll("abcdefghij");
    expect(await found()).toBe("abcdefghij");
    expect(await kept.get("a")).toBe(text);
    expect(await redis.ttl("a")).toBeGreaterThan(50);
  });

  it("count once when they are replaced, and are young again", async () => {
    for (let i = 0; i < 20; i++) await keepAll("ab", { text: text.slice(i) });
    await keepAll("cdefghij");
    expect(await found()).toBe("abcdefghij");
    await keepAll("ak");
    expect(await found()).toBe("acdefghijk");
  });

  it("live longer when they are asked to, and are forgotten no sooner", async () => {
    await keep("a", { ttlS: 1 });
    expect(await kept.ttlS("a")).toBe(1);
    const endsAt = async () => Number(await redis.zscore("{rhone}:kept:test:ends", `${2 * KiB} a a`));
    const before = await endsAt();
    expect(await kept.lengthen("a", { owner: "a", ttlS: 60, of: "xx" })).toBe(true);
    expect(await kept.ttlS("a")).toBeGreaterThan(50);
    expect((await endsAt()) - before).toBeGreaterThan(50_000);
    expect(await kept.lengthen("a", { owner: "a", ttlS: 600, of: "y" })).toBe(false);
    expect(await kept.lengthen("b", { owner: "a", ttlS: 600 })).toBe(false);
    expect([await kept.ttlS("a"), await kept.ttlS("b")]).toEqual([expect.toSatisfy((s) => s < 61), -2]);
  });

  it("leave nothing in the lists once they are dropped", async () => {
    await keepAll("abc");
    for (const key of "abc") await kept.drop(key, "a");
    expect(await redis.keys("*")).toEqual(["{rhone}:kept:test:bytes"]);
    expect(await redis.get("{rhone}:kept:test:bytes")).toBe("0");
  });

  it.each<[KeptText["when"], string, boolean, string]>([
    ["NX", "new", true, "y"],
    ["NX", "old", false, text],
    ["XX", "new", false, ""],
    ["XX", "old", true, "y"],
  ])("may be kept on a condition: %s, %s", async (when, key, isKept, now) => {
    await keep("old");
    expect(await keep(key, { text: "y", ...(when && { when }) })).toBe(isKept);
    expect((await kept.get(key)) ?? "").toBe(now);
  });
});

it("a text is replaced and dropped if it begins as it must", async () => {
  await keep("a", { text: "mine: x" });
  expect(await keep("a", { text: "y", of: "yours: " })).toBe(false);
  expect(await keep("a", { text: "mine: z", of: "mine: " })).toBe(true);
  await kept.drop("a", "a", "yours: ");
  expect(await kept.get("a")).toBe("mine: z");
  await kept.drop("a", "a", "mine: ");
  expect(await kept.get("a")).toBeNull();
  expect(await keep("a", { text: "yours: ", of: "mine: " })).toBe(true);
});

describe("a text beyond the bound", () => {
  it("takes the room of the oldest", async () => {
    await keepAll("abcdefghijkl");
    expect(await found()).toBe("cdefghijkl");
  });

  it("takes it of the owner with the most, also for another owner", async () => {
    await keepAll("ab", { owner: "light" });
    await keepAll("cdefghijkl", { owner: "heavy" });
    expect(await found()).toBe("abefghijkl");
    await keep("m", { owner: "new" });
    expect(await found()).toBe("abfghijklm");
  });

  it("takes room that a dropped one has left", async () => {
    await keepAll("abcdefghij");
    await kept.drop("e", "a");
    await keep("k");
    expect(await found()).toBe("abcdfghijk");
  });

  it("counts together with other gateways' texts, and apart from texts of other kinds", async () => {
    const other = (kind: string) => new KeptTexts(redis, { kind, mostBytes });
    await keepAll("abcdefghij");
    await other("else").keep("k", { owner: "a", text, ttlS: 60 });
    expect(await found()).toBe("abcdefghijk");
    await other("test").keep("l", { owner: "a", text, ttlS: 60 });
    expect(await found()).toBe("bcdefghijkl");
  });

  it.each([
    ["a short one a kibibyte and its bytes", "x", 19],
    ["bytes, not characters", "é".repeat(KiB), 6],
  ])("counts %s", async (_, each, room) => {
    await keepAll("abcdefghijklmnopqrstuvwxyz", { text: each });
    expect((await found()).length).toBe(room);
  });

  it("takes the room of many short ones", async () => {
    await keepAll("abcdefghijklmnopqrs", { text: "x" });
    await keep("z", { text: "x".repeat(18 * KiB - 1) });
    expect(await found()).toBe("sz");
  });
});

it("texts that have expired count no longer, and give up nothing that has their key now", async () => {
  await keepAll("abcde", { owner: "gone", ttlS: 1 });
  await expect.poll(found).toBe("");
  await keepAll("ab", { owner: "gone", text: "newer" });
  await keepAll("fghijkl");
  expect(await found()).toBe("abfghijkl");
});

it("Redis takes no more memory than the texts count", async () => {
  const used = async () => Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
  const many = new KeptTexts(redis, { kind: "many", mostBytes: 256 * KiB });
  const keepMany = async (from: number) => {
    const keys = Array.from({ length: 400 }, (_, i) => `{rhone}:idempotent:${String(from + i).padStart(64, "0")}`);
    await Promise.all(
      keys.map((key) => many.keep(key, { owner: `owner-${key.at(-1)}`, text: "y".repeat(300), ttlS: 60 })),
    );
  };
  const before = await used();
  await keepMany(0);
  await keepMany(400);
  expect((await used()) - before).toBeLessThan(256 * KiB);
});

it("are written a megabyte at a time, short ones first", async () => {
  const sent: string[] = [];
  const answers: (() => void)[] = [];
  const store = {
    get: async () => null,
    ttl: async () => -2,
    eval: (_script: string, _keys: number, key: string | number) => {
      sent.push(`${key}`);
      return new Promise((resolve) => answers.push(() => resolve(1)));
    },
  };
  const texts = new KeptTexts(store, { kind: "test", mostBytes: 1 });
  const longText = "x".repeat(600 * KiB);
  const kept = ["a", "b", "c"].map((key) => texts.keep(key, { owner: "", text: longText, ttlS: 60 }));
  kept.push(texts.keep("short", { owner: "", text, ttlS: 60 }));
  expect(sent).toEqual(["a"]);
  for (const many of [3, 4]) {
    for (const answer of answers.splice(0)) answer();
    await expect.poll(() => sent).toHaveLength(many);
  }
  expect(sent).toEqual(["a", "b", "short", "c"]);
  for (const answer of answers.splice(0)) answer();
  expect(await Promise.all(kept)).toEqual([true, true, true, true]);
});
