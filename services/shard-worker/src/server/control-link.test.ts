import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  controlService,
  createLogger,
  GrpcServer,
  RhoneError,
  toGrpcStatus,
  type WorkerMessage,
} from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { ControlLink } from "./control-link.js";

type JoinStream = ServerDuplexStream<WorkerMessage, CoordinatorMessage>;

/** A coordinator that hands each arriving stream to the test, once its Hello is there. */
async function startCoordinator() {
  const waiting: ((stream: JoinStream) => void)[] = [];
  const arrived: JoinStream[] = [];
  const join = (stream: JoinStream): void => {
    stream.on("error", () => {});
    stream.once("data", () => {
      const take = waiting.shift();
      if (take === undefined) arrived.push(stream);
      else take(stream);
    });
  };
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0 }, (services) =>
    services.addService(controlService, { join }),
  );
  onTestFinished(() => server.close());
  const nextJoin = () =>
    new Promise<JoinStream>((resolve) => {
      const stream = arrived.shift();
      if (stream === undefined) waiting.push(resolve);
      else resolve(stream);
    });
  return { address: `127.0.0.1:${server.port}`, nextJoin };
}

async function startLink() {
  const { address, nextJoin } = await startCoordinator();
  const lost: RhoneError[] = [];
  const orders: CoordinatorMessage[] = [];
  let beats = 0;
  const link = new ControlLink({
    coordinator: address,
    hello: { worker: "w" },
    heartbeat: () => {
      beats += 1;
      return { steps: beats };
    },
    onMessage: (message) => orders.push(message),
    onLost: (error) => lost.push(error),
    logger: createLogger({ service: "test", level: "silent" }),
    retryMs: 1,
  });
  onTestFinished(() => link.close());
  return { link, nextJoin, lost, orders };
}

const nextMessage = (stream: JoinStream): Promise<WorkerMessage> =>
  new Promise((resolve) => stream.once("data", resolve));

test("beats once it is welcome, and hands orders on", async () => {
  const { link, nextJoin, orders } = await startLink();
  const stream = await nextJoin();
  expect(link.joined).toBe(false);
  stream.write({ welcome: { heartbeatMs: 1 } });
  expect((await nextMessage(stream)).heartbeat?.steps).toBeGreaterThan(0);
  expect(link.joined).toBe(true);
  stream.write({ release: {} });
  await expect.poll(() => orders).toEqual([expect.objectContaining({ release: {} })]);
});

test.each([
  ["ends the stream in order", (stream: JoinStream) => stream.end()],
  ["fails it", (stream: JoinStream) => stream.emit("error", toGrpcStatus(new RhoneError("SHUTTING_DOWN", "bye")))],
])("joins again when the coordinator %s", async (_, leave) => {
  const { link, nextJoin, lost } = await startLink();
  const first = await nextJoin();
  first.write({ welcome: { heartbeatMs: 1 } });
  await nextMessage(first);
  leave(first);
  const second = await nextJoin();
  expect(lost).toHaveLength(1);
  expect(link.joined).toBe(false);
  second.write({ welcome: { heartbeatMs: 1 } });
  await nextMessage(second);
  expect(link.joined).toBe(true);
});
