import type { GenerationEvent } from "@rhone/common";
import { expect, it } from "vitest";
import { RecentRequests } from "./recent-requests.js";

const everybody = { owner: "", isAdmin: true };
const usage = { prompt_tokens: 4, prompt_tokens_details: { cached_tokens: 3 }, completion_tokens: 2 };

function setUp() {
  let now = 1000;
  const recent = new RecentRequests(() => now);
  const observe = (id: string, keyId = "team") => {
    const job = { requestId: `${id}-0`, model: "tiny", keyId, promptIds: [1, 2, 3, 4], arrivedAtMs: Date.now() };
    return recent.observer({ route: "chat_completions", jobs: [job as never], stream: true, resumable: true, usage });
  };
  return { recent, observe, pass: (ms: number) => (now += ms) };
}

const tokens = (...ids: readonly number[]) => ({ tokens: ids }) as unknown as GenerationEvent;

it("times the phases of a request", () => {
  const { recent, observe, pass } = setUp();
  const observer = observe("chatcmpl-1");
  observer.began?.();
  pass(80);
  observer.took?.(tokens());
  pass(20);
  observer.took?.(tokens(7));
  pass(300);
  const [running] = recent.since(0, everybody);
  expect(running).toMatchObject({ id: "chatcmpl-1", state: "running", owner: "team", promptTokens: 4 });
  expect(running).toMatchObject({
    firstTokenMs: 100,
    queuedMs: null,
    decodeMs: 300,
    cachedTokens: null,
    completionTokens: 1,
  });
  observer.took?.({ ...tokens(8), timings: { queuedMs: 60, prefillMs: 30, decodeMs: 200 } });
  observer.ended("ok");
  pass(999);
  const [ended] = recent.since(0, everybody);
  expect(ended).toMatchObject({
    state: "ok",
    firstTokenMs: 100,
    queuedMs: 60,
    decodeMs: 300,
    cachedTokens: 3,
    completionTokens: 2,
  });
  expect(recent.takeFirstTokens()).toHaveLength(1);
  expect(recent.takeFirstTokens()).toEqual([]);
});

it("shows each key its own, and an admin all", () => {
  const { recent, observe } = setUp();
  for (const [id, owner] of [
    ["a", "team"],
    ["b", "other"],
  ] as const)
    observe(id, owner).began?.();
  const ids = (reader: typeof everybody) => recent.since(0, reader).map(({ id }) => id);
  expect(ids({ owner: "team", isAdmin: false })).toEqual(["a"]);
  expect(ids(everybody)).toEqual(["a", "b"]);
});

it("shows what changed since, and keeps the newest 200", () => {
  const { recent, observe } = setUp();
  observe("first").began?.();
  const seen = recent.version;
  expect(recent.since(seen, everybody)).toEqual([]);
  for (let i = 0; i < 200; i++) observe(`r${i}`).began?.();
  expect(recent.since(seen, everybody)).toHaveLength(200);
  expect(recent.since(0, everybody)[0]?.id).toBe("r0");
});
