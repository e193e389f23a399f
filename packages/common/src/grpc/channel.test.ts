import { createServer } from "node:net";
import type { handleUnaryCall, ServerDuplexStream } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { hostPort } from "../config/host-address.js";
import { needsIpv6 } from "../testing/ipv6.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { GrpcServer, openChannel } from "./channel.js";
import { type CoordinatorMessage, controlService, type WorkerMessage } from "./services.js";

type JoinStream = ServerDuplexStream<WorkerMessage, CoordinatorMessage>;

const HOST = "127.0.0.1";
const COORDINATOR = { security: PLAINTEXT, expect: { role: "coordinator" } } as const;

/** Answers progress with a welcome of as many milliseconds as it has bytes. */
function echo(stream: JoinStream): void {
  stream.on("data", ({ progress }: WorkerMessage) => {
    stream.write({ welcome: { heartbeatMs: progress?.bytes ?? 0 } });
  });
  stream.on("end", () => stream.end());
  stream.on("error", () => {});
}

const beat: handleUnaryCall<object, object> = (_call, answer) => answer(null, {});

async function openEcho(port = 0, host = HOST): Promise<GrpcServer> {
  const server = await GrpcServer.open({ host, port, security: PLAINTEXT }, (services) =>
    services.addService(controlService, { join: echo, beat }),
  );
  onTestFinished(() => server.close());
  return server;
}

function join(port: number, options?: { readonly ownConnection: boolean }, host = HOST) {
  const client = openChannel(hostPort(host, port), { ...COORDINATOR, ...options });
  onTestFinished(() => client.close());
  const { path, requestSerialize, responseDeserialize } = controlService.join;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  stream.on("error", () => {});
  return stream;
}

const nextMessage = (stream: ReturnType<typeof join>): Promise<CoordinatorMessage> =>
  new Promise((resolve) => stream.once("data", resolve));

test("a server says which free port it took, and answers there", async () => {
  const server = await openEcho();
  expect(server.port).toBeGreaterThan(0);
  const stream = join(server.port);
  stream.write({ progress: { bytes: 7 } });
  expect(await nextMessage(stream)).toMatchObject({ welcome: { heartbeatMs: 7 } });
});

test.for([
  ["::1", "::1"],
  ["::", "::1"],
  ["::", HOST],
] as const)("a server at %s answers at %s", async ([host, from], context) => {
  needsIpv6(context);
  const server = await openEcho(0, host);
  const stream = join(server.port, undefined, from);
  stream.write({ progress: { bytes: 7 } });
  expect(await nextMessage(stream)).toMatchObject({ welcome: { heartbeatMs: 7 } });
});

test("64-bit fields are plain numbers on arrival, up to 2^53", async () => {
  const arrived: (number | null | undefined)[] = [];
  const server = await GrpcServer.open({ host: HOST, port: 0, security: PLAINTEXT }, (services) =>
    services.addService(controlService, {
      join: (stream: JoinStream) => {
        stream.on("data", ({ progress }: WorkerMessage) => {
          arrived.push(progress?.totalBytes);
          stream.write({ release: {} });
        });
        stream.on("error", () => {});
      },
      beat,
    }),
  );
  onTestFinished(() => server.close());
  const stream = join(server.port);
  stream.write({ progress: { totalBytes: Number.MAX_SAFE_INTEGER } });
  await nextMessage(stream);
  expect(arrived).toEqual([Number.MAX_SAFE_INTEGER]);
});

test("a port that another gRPC server has is refused with PORT_IN_USE", async () => {
  const { port } = await openEcho();
  await expect(openEcho(port)).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: expect.stringContaining(`${HOST}:${port} is in use`),
  });
});

test("a port that another program has is refused with PORT_IN_USE", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, HOST, resolve));
  onTestFinished(() => void other.close());
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await expect(openEcho(port)).rejects.toMatchObject({ code: "PORT_IN_USE" });
});

test.each(["192.0.2.1", "999.1.1.1"])("%s is not an address of this machine: INVALID_CONFIG", async (host) => {
  await expect(GrpcServer.open({ host, port: 0, security: PLAINTEXT }, () => {})).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: `${host} is not an address of this machine.`,
  });
});

test("closing a server ends its streams at once", async () => {
  const server = await openEcho();
  const stream = join(server.port);
  stream.write({ progress: { bytes: 1 } });
  await nextMessage(stream);
  const ended = new Promise<unknown>((resolve) => stream.once("error", resolve));
  server.close();
  expect(await ended).toBeInstanceOf(Error);
});

test("a channel with its own connection reaches a process that starts where another one died", async () => {
  const dead = await openEcho();
  const { port } = dead;
  const lost = join(port);
  lost.write({ progress: { bytes: 1 } });
  await nextMessage(lost);
  const gone = new Promise<unknown>((resolve) => lost.once("error", resolve));
  dead.close();
  await gone;
  await openEcho(port);
  const stream = join(port, { ownConnection: true });
  stream.write({ progress: { bytes: 9 } });
  expect(await nextMessage(stream)).toMatchObject({ welcome: { heartbeatMs: 9 } });
});
