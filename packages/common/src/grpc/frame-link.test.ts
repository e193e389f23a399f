import type { ServerReadableStream } from "@grpc/grpc-js";
import { expect, onTestFinished, test, vi } from "vitest";
import { RhoneError } from "../errors/rhone-error.js";
import { needsIpv6 } from "../testing/ipv6.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { GrpcServer } from "./channel.js";
import { toGrpcStatus } from "./error-status.js";
import { FrameLink } from "./frame-link.js";
import { type FlowEnd, type Frame, pipelineService } from "./services.js";
import { deferred } from "./testing/deferred.js";
import { TestReceiver } from "./testing/frame-receiver.js";

const MiB = 1024 * 1024;

async function openReceiver(host?: string): Promise<TestReceiver> {
  const receiver = await TestReceiver.open(host);
  onTestFinished(() => receiver.close());
  return receiver;
}

/** A link, and the error with which it breaks. */
function openLink(address: string) {
  const onBroken = vi.fn<(error: RhoneError) => void>();
  const { promise: broken, resolve } = deferred<RhoneError>();
  const link = new FrameLink({
    address,
    security: PLAINTEXT,
    expect: { role: "worker" },
    peer: "stage 1",
    onBroken: (error) => {
      onBroken(error);
      resolve(error);
    },
  });
  onTestFinished(() => link.close());
  return { link, onBroken, broken };
}

const frame = (step: number, hidden = new Uint8Array()): Frame => ({
  pipeline: "p",
  epoch: 3,
  step,
  stepBody: { hidden },
});

test("frames arrive in the order in which they were sent, whole", async () => {
  const receiver = await openReceiver();
  const { link } = openLink(receiver.address);
  for (let step = 1; step <= 50; step++) link.send(frame(step, Uint8Array.of(step)));
  await receiver.received(50);
  expect(receiver.frames.map(({ step }) => step)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(receiver.frames[6]).toMatchObject({ pipeline: "p", epoch: 3, stepBody: { hidden: Buffer.of(7) } });
});

test("frames reach a receiver with an IPv6 address", async (context) => {
  needsIpv6(context);
  const receiver = await openReceiver("::1");
  expect(receiver.address).toMatch(/^\[::1\]:\d+$/);
  openLink(receiver.address).link.send(frame(1));
  expect((await receiver.received(1))[0]).toMatchObject({ step: 1 });
});

test("a frame may be larger than gRPC's 4 MiB", async () => {
  const receiver = await openReceiver();
  const { link } = openLink(receiver.address);
  const hidden = new Uint8Array(9 * MiB).map((_, i) => i % 251);
  link.send(frame(1, hidden));
  await receiver.received(1);
  expect(Buffer.compare(receiver.frames[0]?.stepBody?.hidden ?? new Uint8Array(), hidden)).toBe(0);
});

test("sending never waits for a receiver that does not read; every frame arrives once it does", async () => {
  const { address, stream } = await startPausedReceiver();
  const { link } = openLink(address);
  const sizes = Array.from({ length: 24 }, () => MiB); // more than HTTP/2's window of 16 MiB
  for (const [index, size] of sizes.entries()) link.send(frame(index, new Uint8Array(size)));
  const received: Frame[] = [];
  const paused = await stream;
  const { promise: done, resolve } = deferred<void>();
  paused.on("data", (message: Frame) => {
    received.push(message);
    if (received.length === sizes.length) resolve();
  });
  await done;
  expect(received.map(({ step }) => step)).toEqual(sizes.map((_, index) => index));
  expect(received.every(({ stepBody }) => stepBody?.hidden?.byteLength === MiB)).toBe(true);
});

test("nobody at the address breaks the link, with the peer's name and address", async () => {
  const receiver = await openReceiver();
  const { address } = receiver;
  receiver.close();
  const { broken } = openLink(address);
  expect(await broken).toMatchObject({
    code: "WORKER_LOST",
    message: expect.stringMatching(new RegExp(`^The connection to stage 1 at ${address} failed: `)),
  });
});

test("a receiver that goes away breaks the link once; later frames are dropped", async () => {
  const receiver = await openReceiver();
  const { link, broken, onBroken } = openLink(receiver.address);
  link.send(frame(1));
  await receiver.received(1);
  receiver.close();
  expect((await broken).code).toBe("WORKER_LOST");
  link.send(frame(2));
  link.close();
  expect(onBroken).toHaveBeenCalledTimes(1);
});

test("a receiver may refuse the stream with an error of the table", async () => {
  const { address, stream } = await startPausedReceiver();
  const { link, broken } = openLink(address);
  link.send(frame(1));
  (await stream).emit("error", toGrpcStatus(new RhoneError("SHUTTING_DOWN", "The worker is shutting down.")));
  expect(await broken).toMatchObject({ code: "SHUTTING_DOWN", message: "The worker is shutting down." });
});

test("a receiver that answers has ended the stream", async () => {
  const { address, answer } = await startPausedReceiver();
  const { link, broken } = openLink(address);
  link.send(frame(1));
  (await answer)();
  expect((await broken).message).toBe(`The connection to stage 1 at ${address} failed: it ended the stream.`);
});

test("closing is silent here and ends the stream there, once", async () => {
  const receiver = await openReceiver();
  const { link, onBroken } = openLink(receiver.address);
  link.send(frame(1));
  await receiver.received(1);
  link.close();
  link.close();
  await receiver.until(() => receiver.ended.length === 1);
  expect(receiver.ended).toEqual([0]);
  expect(onBroken).not.toHaveBeenCalled();
});

test("two links of one address have streams of their own", async () => {
  const receiver = await openReceiver();
  const [first, second] = [openLink(receiver.address), openLink(receiver.address)];
  first.link.send(frame(1));
  second.link.send(frame(2));
  await receiver.received(2);
  first.link.close();
  await receiver.until(() => receiver.ended.length === 1);
  second.link.send(frame(3));
  await receiver.received(3);
  expect(second.onBroken).not.toHaveBeenCalled();
});

type FlowStream = ServerReadableStream<Frame, FlowEnd>;

/** A receiver that reads nothing until the test does: its first stream, and what ends that stream in order. */
async function startPausedReceiver() {
  const stream = deferred<FlowStream>();
  const answer = deferred<() => void>();
  const flow = (incoming: FlowStream, respond: (error: null, end: FlowEnd) => void): void => {
    incoming.on("error", () => {});
    stream.resolve(incoming);
    answer.resolve(() => respond(null, {}));
  };
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security: PLAINTEXT }, (services) =>
    services.addService(pipelineService, { flow }),
  );
  onTestFinished(() => server.close());
  return { address: `127.0.0.1:${server.port}`, stream: stream.promise, answer: answer.promise };
}
