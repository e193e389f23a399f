import { expect, test, vi } from "vitest";
import type { MicroBatch } from "../scheduler/micro-batch.js";
import { type SentStep, StepLoop } from "./step-loop.js";

const EMPTY: MicroBatch = { copies: [], opens: [], spans: [], closes: [], rows: 0, decodeRows: 0, group: null };

/** A loop with `due` micro-batches to send. */
function loopOf(due: number) {
  const state = { due, isHeldUp: false };
  const sent: SentStep[] = [];
  let now = 0;
  const loop = new StepLoop({
    decide: () => (state.due-- > 0 ? EMPTY : null),
    isHeldUp: () => state.isHeldUp,
    onSent: (step) => void sent.push(step),
    endTokens: new Set(),
    now: () => now++,
  });
  let number = 0;
  const link = { stages: 1, pages: 1, stepTimes: null, rowBlock: 1, send: () => ++number };
  return { loop, link, state, sent };
}

test("sends what is decided once there is a pipeline, with the times of decision and sending", () => {
  const { loop, link, sent } = loopOf(2);
  loop.pump();
  expect([sent, loop.waitingSince]).toEqual([[], null]);
  loop.attach(link);
  loop.pump();
  expect(sent.map(({ step, decidedAt, sentAt }) => [step, decidedAt, sentAt])).toEqual([
    [1, 0, 1],
    [2, 2, 3],
  ]);
  expect(loop.waitingSince).toBe(1);
});

test("sends nothing while it is held up", () => {
  const { loop, link, state, sent } = loopOf(1);
  loop.attach(link);
  state.isHeldUp = true;
  loop.pump();
  expect(sent).toEqual([]);
  state.isHeldUp = false;
  loop.proceed();
  expect(sent).toHaveLength(1);
});

test("what comes within a turn is pumped once", async () => {
  const { loop, link, sent } = loopOf(0);
  loop.attach(link);
  const pump = vi.spyOn(loop, "pump");
  for (let call = 0; call < 3; call++) loop.pumpSoon();
  expect(pump).not.toHaveBeenCalled();
  await new Promise((resolve) => setImmediate(resolve));
  expect([pump.mock.calls.length, sent.length]).toEqual([1, 0]);
});

test("results come in the order of the steps", () => {
  const { loop, link } = loopOf(2);
  loop.attach(link);
  loop.pump();
  expect(loop.returned(1)).toMatchObject({ step: 1, batch: EMPTY });
  expect(() => loop.returned(7)).toThrow("Result of step 7 came when step 2 was due.");
  expect(() => loop.returned(3)).toThrow("Result of step 3 came when step none was due.");
});

test("is settled when all that was in flight has returned, and then sends nothing until another pipeline", async () => {
  const { loop, link, state, sent } = loopOf(2);
  loop.attach(link);
  loop.pump();
  const settled = vi.fn();
  const settling = loop.settle().then(settled);
  state.due = 1;
  loop.returned(1);
  loop.proceed();
  await Promise.resolve();
  expect(settled).not.toHaveBeenCalled();
  loop.returned(2);
  loop.proceed();
  await settling;
  expect(sent).toHaveLength(2);
  loop.attach(link);
  loop.pump();
  expect(sent).toHaveLength(3);
});

test("a pipeline that is lost takes what was in flight with it, and settles", async () => {
  const { loop, link } = loopOf(1);
  loop.attach(link);
  loop.pump();
  const settling = loop.settle();
  loop.detach();
  await settling;
  expect([loop.isAttached, loop.isIdle, loop.waitingSince]).toEqual([false, true, null]);
});
