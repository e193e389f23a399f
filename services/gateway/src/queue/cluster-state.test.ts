import { COORDINATORS_KEY, statusKey } from "@rhone/common";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { status } from "../testing/coordinator-status.js";
import { redisClusterState } from "./cluster-state.js";

/** Redis with these statuses by coordinator; null: one whose status has expired. */
function redisWith(statuses: Readonly<Record<string, string | null>>) {
  const members = new Set(Object.keys(statuses));
  const commands: string[] = [];
  return {
    members,
    commands,
    failure: undefined as Error | undefined,
    async smembers(key: string) {
      commands.push("smembers");
      if (this.failure !== undefined) throw this.failure;
      return key === COORDINATORS_KEY ? [...members] : [];
    },
    async mget(keys: string[]) {
      commands.push("mget");
      return keys.map((key) => Object.entries(statuses).find(([id]) => statusKey(id) === key)?.[1] ?? null);
    },
    async srem(_key: string, ...ids: string[]) {
      commands.push(`srem ${ids.join(" ")}`);
      for (const id of ids) members.delete(id);
      return ids.length;
    },
  };
}

type Store = Parameters<typeof redisClusterState>[0];
const stateOf = (redis: ReturnType<typeof redisWith>, now?: () => number) =>
  redisClusterState(redis as unknown as Store, now);

describe("coordinators", () => {
  it("are those with a status, in order", async () => {
    const redis = redisWith({ b: JSON.stringify(status("b")), a: JSON.stringify(status("a")) });
    const found = await stateOf(redis).coordinators();
    expect(found.map(({ coordinator }) => coordinator)).toEqual(["a", "b"]);
    expect(redis.commands).toEqual(["smembers", "mget"]);
  });

  it("whose status has expired are forgotten, so that the set does not grow with every start", async () => {
    const redis = redisWith({ a: JSON.stringify(status("a")), dead: null, gone: null });
    expect(await stateOf(redis).coordinators()).toHaveLength(1);
    expect([...redis.members]).toEqual(["a"]);
    expect(redis.commands.at(-1)).toBe("srem dead gone");
  });

  it("are none in an empty cluster, which asks for no statuses", async () => {
    const redis = redisWith({});
    expect(await stateOf(redis).coordinators()).toEqual([]);
    expect(redis.commands).toEqual(["smembers"]);
  });

  it("whose status is of another version are passed over, not forgotten", async () => {
    const redis = redisWith({ a: JSON.stringify({ coordinator: "a" }) });
    expect(await stateOf(redis).coordinators()).toEqual([]);
    expect([...redis.members]).toEqual(["a"]);
  });

  it("are read once within 250 ms", async () => {
    let nowMs = 1000;
    const redis = redisWith({ a: JSON.stringify(status("a")) });
    const state = stateOf(redis, () => nowMs);
    await Promise.all([state.coordinators(), state.coordinators()]);
    nowMs += 249;
    await state.coordinators();
    expect(redis.commands).toHaveLength(2);
    nowMs += 1;
    await state.coordinators();
    expect(redis.commands).toHaveLength(4);
  });

  it("are waited for 5 s while Redis hangs, by those who are patient for longer, and asked for once", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    let nowMs = 1000;
    let wake = (): void => {};
    const hanging = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const redis = redisWith({ a: JSON.stringify(status("a")) });
    const { smembers } = redis;
    redis.smembers = async (key) => hanging.then(() => smembers.call(redis, key));
    const state = stateOf(redis, () => nowMs);
    const patient = state.coordinators({ patient: true });
    for (let look = 0; look < 2; look++) {
      const refused = expect(state.coordinators()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
      await vi.advanceTimersByTimeAsync(5000);
      await refused;
      nowMs += 5000;
    }
    wake();
    expect(await patient).toHaveLength(1);
    expect(redis.commands).toEqual(["smembers", "mget"]);
    expect(await state.coordinators()).toHaveLength(1);
    expect(redis.commands).toEqual(["smembers", "mget", "smembers", "mget"]);
  });

  it("are out of reach without Redis", async () => {
    const redis = redisWith({});
    redis.failure = new Error("connection refused");
    await expect(stateOf(redis).coordinators()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
  });
});
