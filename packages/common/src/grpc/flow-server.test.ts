import type { ServiceError } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { PLAINTEXT } from "../testing/plaintext.js";
import { openChannel } from "./channel.js";
import type { FrameReceiver } from "./flow-server.js";
import { FrameLink } from "./frame-link.js";
import { pipelineService } from "./services.js";
import { deferred } from "./testing/deferred.js";
import { TestReceiver } from "./testing/frame-receiver.js";

const TO_WORKER = { security: PLAINTEXT, expect: { role: "worker" } } as const;

/** A receiver and a sender that sends any bytes it likes. `accept` may fail, after the frame is received. */
async function openRaw(accept: FrameReceiver["accept"] = () => {}) {
  const receiver = await TestReceiver.open({ accept });
  const client = openChannel(receiver.address, TO_WORKER);
  onTestFinished(() => {
    client.close();
    receiver.close();
  });
  const { promise: answer, resolve } = deferred<ServiceError | null>();
  const { path, responseDeserialize } = pipelineService.flow;
  const raw = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
  const stream = client.makeBidiStreamRequest(path, raw, responseDeserialize);
  stream.on("data", () => {});
  stream.on("error", resolve);
  stream.on("end", () => resolve(null));
  return { receiver, stream, answer };
}

const frame = pipelineService.flow.requestSerialize({ pipeline: "p", epoch: 1, step: 7 });

test("a stream that its sender ends is answered once all of its frames are accepted, and ends once", async () => {
  const { receiver, stream, answer } = await openRaw();
  for (let i = 0; i < 5; i++) stream.write(frame);
  stream.end();
  expect(await answer).toBeNull();
  await receiver.until(() => receiver.ended.length > 0);
  expect(receiver.frames).toHaveLength(5);
  expect(receiver.ended).toEqual([0]);
});

test("bytes that are no frame end their stream with an error, and no other", async () => {
  const { receiver, stream, answer } = await openRaw();
  const link = new FrameLink({ address: receiver.address, ...TO_WORKER, peer: "it", onBroken: () => {} });
  onTestFinished(() => link.close());
  link.send({ step: 1 });
  await receiver.received(1);
  stream.write(frame);
  stream.write(Uint8Array.of(0x0a, 200, 1)); // a string of 200 bytes of which one came
  expect(await answer).toBeInstanceOf(Error);
  await receiver.until(() => receiver.ended.length > 0);
  link.send({ step: 2 });
  await receiver.until(() => receiver.frames.some(({ step }) => step === 2));
  expect(receiver.ended).toHaveLength(1);
});

test("a sender that is gone in the middle of a frame ends its stream", async () => {
  const { receiver, stream } = await openRaw();
  stream.write(frame);
  await receiver.received(1);
  stream.write(new Uint8Array(1024 * 1024));
  stream.cancel();
  await receiver.until(() => receiver.ended.length > 0);
  expect(receiver.frames).toHaveLength(1);
});

test.each<[string, FrameReceiver["accept"]]>([
  ["rejects", async () => Promise.reject(new Error("no room"))],
  [
    "throws",
    () => {
      throw new Error("no room");
    },
  ],
])("a frame whose receiver %s ends its stream with that error, and no other", async (_, fail) => {
  const { receiver, stream, answer } = await openRaw((received) => (received.step === 7 ? fail(received) : undefined));
  const link = new FrameLink({ address: receiver.address, ...TO_WORKER, peer: "it", onBroken: () => {} });
  onTestFinished(() => link.close());
  link.send({ step: 1 });
  await receiver.received(1);
  for (let i = 0; i < 3; i++) stream.write(frame);
  expect((await answer)?.message).toContain("no room");
  await receiver.until(() => receiver.ended.length > 0);
  link.send({ step: 2 });
  await receiver.until(() => receiver.frames.some(({ step }) => step === 2));
  expect(receiver.frames.map(({ step }) => step)).toEqual([1, 7, 2]);
  expect(receiver.ended).toHaveLength(1);
});
