import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { expect, onTestFinished, test, vi } from "vitest";
import { RhoneError } from "../errors/rhone-error.js";
import { openSecurity, type Security } from "../security/security.js";
import { needsIpv6 } from "../testing/ipv6.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { TestAuthority } from "../testing/test-authority.js";
import { GrpcServer } from "./channel.js";
import { toGrpcStatus } from "./error-status.js";
import { FrameLink } from "./frame-link.js";
import { type Frame, type Heard, pipelineService } from "./services.js";
import { deferred } from "./testing/deferred.js";
import { TestReceiver } from "./testing/frame-receiver.js";

const MiB = 1024 * 1024;

async function openReceiver(host?: string, security?: Security): Promise<TestReceiver> {
  const receiver = await TestReceiver.open({ host, security });
  onTestFinished(() => receiver.close());
  return receiver;
}

/** A link, and the error with which it breaks. */
function openLink(address: string, security: Security = PLAINTEXT) {
  const onBroken = vi.fn<(error: RhoneError, isBarred: boolean) => void>();
  const onHeard = vi.fn();
  const { promise: broken, resolve } = deferred<RhoneError>();
  const link = new FrameLink({
    address,
    security,
    expect: { role: "worker" },
    peer: "stage 1",
    onBroken: (error, isBarred) => {
      onBroken(error, isBarred);
      resolve(error);
    },
    onHeard,
  });
  onTestFinished(() => link.close());
  return { link, onBroken, broken, onHeard };
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

test("nobody at the address breaks the link, with the peer's name and address, and another would not help", async () => {
  const receiver = await openReceiver();
  const { address } = receiver;
  receiver.close();
  const { broken, onBroken } = openLink(address);
  expect(await broken).toMatchObject({
    code: "WORKER_LOST",
    message: expect.stringMatching(new RegExp(`^The connection to stage 1 at ${address} failed: `)),
  });
  expect(onBroken.mock.calls[0]?.[1]).toBe(true);
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
  expect(onBroken.mock.calls[0]?.[1]).toBe(false);
});

test("a receiver that says nothing breaks the link, and another would not help", async () => {
  const { address } = await startPausedReceiver();
  const { broken, onBroken } = openLink(address);
  expect(await broken).toMatchObject({
    code: "WORKER_LOST",
    message: `The connection to stage 1 at ${address} failed: nothing came back for 3 s.`,
  });
  expect(onBroken.mock.calls[0]?.[1]).toBe(true);
});

test.each([true, false])("an idle link is heard, with TLS: %s", async (isTls) => {
  const authority = isTls ? new TestAuthority() : null;
  const own = (role: "worker" | "coordinator"): Security =>
    authority === null ? PLAINTEXT : openSecurity(authority.issue({ role, name: "x" }));
  const [server, client] = [own("worker"), own("coordinator")];
  const receiver = await openReceiver(undefined, server);
  const { onHeard, onBroken } = openLink(receiver.address, client);
  await vi.waitFor(() => expect(onHeard.mock.calls.length).toBeGreaterThan(8), { timeout: 20_000 });
  expect(onBroken).not.toHaveBeenCalled();
  for (const security of new Set([server, client])) security.close();
  authority?.close();
});

test("a frame that takes longer than a link may be silent arrives over a slow one", async () => {
  const receiver = await openReceiver();
  const address = await startSlowWire(receiver.address);
  const { link, onBroken } = openLink(address);
  link.send(frame(1, new Uint8Array(2 * MiB)));
  link.send(frame(2));
  await receiver.received(2);
  expect(onBroken).not.toHaveBeenCalled();
});

test("a receiver may refuse the stream with an error of the table", async () => {
  const { address, stream } = await startPausedReceiver();
  const { link, broken } = openLink(address);
  link.send(frame(1));
  (await stream).emit("error", toGrpcStatus(new RhoneError("SHUTTING_DOWN", "The worker is shutting down.")));
  expect(await broken).toMatchObject({ code: "SHUTTING_DOWN", message: "The worker is shutting down." });
});

test("a receiver that answers has ended the stream", async () => {
  const { address, stream } = await startPausedReceiver();
  const { link, broken } = openLink(address);
  link.send(frame(1));
  (await stream).end();
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

/** Carries 400 KB per second to `address`, and as many back. */
async function startSlowWire(address: string): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(address.split(":")[1]), "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from.on("error", () => {}));
      from.on("data", (bytes: Buffer) => {
        from.pause();
        setTimeout(() => {
          to.write(bytes);
          from.resume();
        }, bytes.length / 400);
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type FlowStream = ServerDuplexStream<Frame, Heard>;

/** A receiver that reads nothing and says nothing until the test does: its first stream. */
async function startPausedReceiver() {
  const stream = deferred<FlowStream>();
  const flow = (incoming: FlowStream): void => {
    incoming.on("error", () => {});
    stream.resolve(incoming);
  };
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security: PLAINTEXT }, (services) =>
    services.addService(pipelineService, { flow }),
  );
  onTestFinished(() => server.close());
  return { address: `127.0.0.1:${server.port}`, stream: stream.promise };
}
