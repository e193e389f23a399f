import { expect, it } from "vitest";
import { createMetrics } from "../metrics.js";
import { event } from "../testing/events.js";
import { AnswerRoom } from "./answer-room.js";

const MiB = 1024 * 1024;
const never = new AbortController().signal;
const mine = { lane: "interactive", owner: "me" } as const;
const yours = { lane: "interactive", owner: "you" } as const;
const anyone = { lane: "interactive", owner: "" } as const;

function roomOf(most = 10 * MiB, withinMs = 60_000) {
  const metrics = createMetrics();
  const room = new AnswerRoom({ most, withinMs, metrics });
  const held = async () => (await metrics.answersHeld.get()).values[0]?.value ?? 0;
  const waiting = async () => (await metrics.answersWaiting.get()).values[0]?.value ?? 0;
  return { room, held, waiting };
}

it("answers wait until others have given back their room", async () => {
  const { room, held, waiting } = roomOf();
  const first = await room.take({ ...anyone, bytes: 8 * MiB }, never);
  const order: string[] = [];
  const second = room.take({ ...anyone, bytes: 4 * MiB }, never).then((taken) => {
    order.push("second");
    return taken;
  });
  const third = await room.take({ ...anyone, bytes: 2 * MiB }, never);
  expect([await held(), await waiting()]).toEqual([10 * MiB, 1]);
  order.push("release");
  first.release();
  (await second).release();
  third.release();
  expect(order).toEqual(["release", "second"]);
  expect([await held(), await waiting()]).toEqual([0, 0]);
});

it("small ones never wait, and count when their text becomes long", async () => {
  const { room, held } = roomOf(MiB);
  await room.take({ ...anyone, bytes: MiB }, never);
  const small = await room.take({ ...anyone, bytes: 16_384 }, never);
  expect(await held()).toBe(MiB);
  small.took(event({ text: "a".repeat(4096) }));
  expect(await held()).toBe(MiB);
  small.took(event({ text: "a".repeat(8192) }));
  expect(await held()).toBe(MiB + 24_576);
  small.release();
  expect(await held()).toBe(MiB);
});

it("a complete answer holds what it has, until it is sent", async () => {
  const { room, held } = roomOf();
  const answer = await room.take({ ...anyone, bytes: MiB }, never);
  answer.took(event({ text: "a".repeat(100) }));
  expect(await held()).toBe(MiB);
  answer.ended();
  expect(await held()).toBe(212);
  for (let i = 0; i < 2; i++) answer.release();
  answer.took(event({ text: "a".repeat(100_000) }));
  expect(await held()).toBe(0);
});

it("an API key has no more than it leaves free; its batches are apart, also where no key is required", async () => {
  const { room } = roomOf();
  await room.take({ ...mine, bytes: 4 * MiB }, never);
  expect(() => room.takeNow({ ...mine, bytes: 3 * MiB })).toThrow(
    /4194304 of 10485760 bytes \(--answers-bytes\), 4194304 of them/,
  );
  await room.take({ ...yours, bytes: 2 * MiB }, never);
  for (const lane of ["batch", "interactive"] as const) await room.take({ lane, owner: "", bytes: MiB }, never);
  expect(() => room.takeNow({ lane: "batch", owner: "", bytes: 1.5 * MiB })).toThrow(
    expect.objectContaining({ code: "GATEWAY_BUSY" }),
  );
  room.takeNow({ ...anyone, bytes: 2 * MiB });
});

it("keys take turns", async () => {
  const { room } = roomOf(MiB);
  const first = await room.take({ ...anyone, bytes: MiB }, never);
  const order: string[] = [];
  const waits = [mine, mine, mine, yours].map(async (who) => {
    const taken = await room.take({ ...who, bytes: MiB }, never);
    order.push(who.owner);
    taken.release();
  });
  first.release();
  await Promise.all(waits);
  expect(order).toEqual(["me", "you", "me", "me"]);
});

it("more than there is can't be asked for", async () => {
  const { room } = roomOf(MiB);
  const refusal = {
    code: "INVALID_REQUEST",
    message: expect.stringMatching(/1048577 bytes.*1048576 at most.*stream it/),
  };
  await expect(room.take({ ...mine, bytes: MiB + 1 }, never)).rejects.toMatchObject(refusal);
});

it("nobody waits beyond the deadline of the request", async () => {
  const { room } = roomOf(MiB);
  await room.take({ ...mine, bytes: MiB }, never);
  const waits = room.take({ ...mine, bytes: MiB, deadlineAtMs: Date.now() + 5 }, never);
  await expect(waits).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
});

it("who waits too long, or is one too many, is told to come again", async () => {
  const hurried = roomOf(MiB, 1).room;
  await hurried.take({ ...anyone, bytes: MiB }, never);
  const late = {
    code: "GATEWAY_BUSY",
    message: expect.stringMatching(/1048576 bytes: .* 1048576 of 1048576 .*, 0 of them.*After 1 ms/),
  };
  await expect(hurried.take({ ...mine, bytes: MiB }, never)).rejects.toMatchObject(late);
  const { room } = roomOf(MiB);
  await room.take({ ...anyone, bytes: MiB }, never);
  const leave = new AbortController();
  const waits = Array.from({ length: 257 }, () => room.take({ ...mine, bytes: MiB }, leave.signal));
  const ended = Promise.allSettled(waits);
  await expect(waits[256]).rejects.toMatchObject({ code: "GATEWAY_BUSY" });
  leave.abort(new Error("left"));
  expect((await ended).filter(({ status }) => status === "rejected")).toHaveLength(257);
  expect(room.takeNow({ ...mine, bytes: 0 })).toBeDefined();
});
