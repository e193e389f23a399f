import { EventEmitter } from "node:events";
import type { GenerationEvent } from "@rhone/common";
import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import { Inboxes } from "./inboxes.js";

const event = (ordinal: number, last = false): GenerationEvent => ({
  requestId: "a",
  ordinal,
  tokens: [ordinal],
  text: "",
  ...(last && { finish: { reason: "length" } }),
});

function inboxes(log: readonly GenerationEvent[]) {
  const channels = new Set<string>();
  const subscriber = Object.assign(new EventEmitter(), {
    subscribe: async (channel: string) => channels.add(channel),
    unsubscribe: async (channel: string) => channels.delete(channel),
  });
  const made = new Inboxes({
    subscriber: subscriber as unknown as Redis,
    gatewayId: "here",
    readLog: async (_, ordinal) => ({ events: log.filter((one) => one.ordinal >= ordinal), hasMore: false }),
  });
  return { made, channels };
}

it("two readers of one request each have all its events", async () => {
  const { made } = inboxes([]);
  const job = { requestId: "a", replyTo: "here", keyId: "k" };
  const readers = [made.open(job), made.open(job)];
  for (const one of [event(0), event(1, true)]) made.deliver(one);
  for (const reader of readers) {
    const seen: number[] = [];
    for await (const { ordinal } of reader.events(AbortSignal.timeout(5000))) seen.push(ordinal);
    expect(seen).toEqual([0, 1]);
  }
});

it("listens to another gateway's channel as long as somebody follows a request of its", async () => {
  const { made, channels } = inboxes([event(0)]);
  const job = { requestId: "a", replyTo: "there", keyId: "k" };
  const [first, second] = [made.open(job), made.open(job)];
  expect([...channels]).toEqual(["{rhone}:events:there"]);
  const events = first.events(AbortSignal.timeout(5000));
  expect((await events.next()).value).toMatchObject({ ordinal: 0 });
  made.deliver(event(1, true));
  expect((await events.next()).value).toMatchObject({ ordinal: 1 });
  made.close(job, first);
  expect(channels.size).toBe(1);
  made.close(job, second);
  expect(channels.size).toBe(0);
});
