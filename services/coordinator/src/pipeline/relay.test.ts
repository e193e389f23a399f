import { expect, onTestFinished, test, vi } from "vitest";
import { TestReceiver } from "../../../../packages/common/src/grpc/testing/frame-receiver.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { Relay } from "./relay.js";

/** A relay to a stage that keeps what it gets. */
async function setUp() {
  const receiver = await TestReceiver.open();
  const [onBroken, onPassed] = [vi.fn(), vi.fn()];
  const to = { worker: "b", address: receiver.address };
  const relay = new Relay({ security: PLAINTEXT, stage: 1, to, onBroken, onPassed });
  onTestFinished(() => {
    relay.close();
    receiver.close();
  });
  return { relay, receiver, onBroken, onPassed };
}

test("frames are passed on in their order, over one connection, and their activations counted", async () => {
  const { relay, receiver, onPassed } = await setUp();
  for (let step = 1; step <= 40; step++) await relay.pass({ step, stepBody: { hidden: Buffer.alloc(step) } });
  await relay.pass({ step: 41, probe: { workers: ["a"] } });
  const steps = (await receiver.received(41)).map(({ step }) => step);
  expect(steps).toEqual(Array.from({ length: 41 }, (_, index) => index + 1));
  expect(onPassed.mock.calls.reduce((sum, [bytes]) => sum + bytes, 0)).toBe((40 * 41) / 2);
  relay.close();
  await receiver.until(() => receiver.ended.length > 0);
  expect(receiver.ended).toEqual([0]);
});

test("a stage that is gone is told once, and frames behind that wait for ever", async () => {
  const { relay, receiver, onBroken } = await setUp();
  await relay.pass({ step: 1 });
  await receiver.received(1);
  receiver.close();
  await expect.poll(() => onBroken.mock.calls.length).toBe(1);
  expect(onBroken.mock.calls[0]?.[0]).toMatchObject({ code: "WORKER_LOST" });
  const passed = vi.fn();
  void relay.pass({ step: 2 }).then(passed);
  await new Promise(setImmediate);
  expect([passed.mock.calls, onBroken.mock.calls.length]).toEqual([[], 1]);
});
