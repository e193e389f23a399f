import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type CoordinatorMessage, createLogger, RhoneError, toGrpcStatus } from "@rhone/common";
import { expect, onTestFinished, test, vi } from "vitest";
import { PLAINTEXT } from "../testing/plaintext.js";
import { type JoinStream, nextMessage, TestCoordinator } from "../testing/test-coordinator.js";
import { ControlLink, type ControlLinkOptions } from "./control-link.js";

const logger = createLogger({ service: "test", level: "silent" });

async function startLink(changes: Partial<ControlLinkOptions> = {}) {
  const coordinator = await TestCoordinator.open("127.0.0.1", { letsGo: false });
  onTestFinished(() => coordinator.close());
  const lost = vi.fn<(error: RhoneError) => void>();
  const orders: [CoordinatorMessage, Parameters<ControlLinkOptions["onMessage"]>[1]][] = [];
  const warn = vi.spyOn(logger, "warn");
  onTestFinished(() => warn.mockRestore());
  const heartbeats = { begin: vi.fn<(everyMs: number) => void>(), pause: vi.fn() };
  const link = new ControlLink({
    coordinator: coordinator.address,
    security: PLAINTEXT,
    hello: { worker: "w", protocol: 2 },
    heartbeats,
    onMessage: (message, answer) => orders.push([message, answer]),
    onLost: lost,
    logger,
    retryMs: 1,
    ...changes,
  });
  onTestFinished(() => link.close());
  return { link, coordinator, heartbeats, lost, orders, warn };
}

/** Joins, and is welcomed. */
async function startJoined() {
  const started = await startLink();
  const { stream } = await started.coordinator.nextJoin();
  stream.write({ welcome: { heartbeatMs: 70 } });
  await expect.poll(() => started.link.joined).toBe(true);
  return { ...started, stream };
}

test("says Hello first, and begins heartbeats once it is welcome", async () => {
  const { link, coordinator, heartbeats } = await startLink();
  const { stream, hello } = await coordinator.nextJoin();
  expect(hello).toMatchObject({ worker: "w", protocol: 2 });
  expect(link.joined).toBe(false);
  expect(heartbeats.begin).not.toHaveBeenCalled();
  stream.write({ welcome: { heartbeatMs: 70 } });
  await expect.poll(() => link.joined).toBe(true);
  expect(heartbeats.begin).toHaveBeenCalledExactlyOnceWith(70);
});

test("a coordinator that does not answer is told, and asked again", async () => {
  const refused = vi.fn<(error: RhoneError) => void>();
  const { coordinator } = await startLink({ welcomeWithinMs: 50, onRefused: refused });
  await coordinator.nextJoin();
  await coordinator.nextJoin();
  expect(refused.mock.calls[0]?.[0]).toMatchObject({
    code: "WORKER_LOST",
    message: `Nothing came from the coordinator at ${coordinator.address} within 0.05 s.`,
  });
});

test("joins again over another connection when its heartbeats are not answered", async () => {
  const { link, coordinator, lost, heartbeats } = await startJoined();
  link.silent();
  expect(lost.mock.calls[0]?.[0].message).toMatch(
    /^The connection to the coordinator at .* failed: it does not answer/,
  );
  expect(heartbeats.pause).toHaveBeenCalled();
  link.silent(); // it is not joined
  await coordinator.nextJoin();
  expect(lost).toHaveBeenCalledOnce();
});

test("an address that nobody answers is tried over a new connection each time", { timeout: 20_000 }, async () => {
  const refused = vi.fn<(error: RhoneError) => void>();
  let connections = 0;
  const mute = createServer(() => connections++).listen(0, "127.0.0.1");
  onTestFinished(() => void mute.close());
  await once(mute, "listening");
  const { port } = mute.address() as AddressInfo;
  const coordinator = `127.0.0.1:${port}`;
  await startLink({ coordinator, onRefused: refused });
  await vi.waitFor(() => expect(connections).toBe(2), { timeout: 15_000 });
  expect(refused.mock.calls[0]?.[0].message).toBe(
    `The connection to the coordinator at ${coordinator} failed: nobody answered within 2 s.`,
  );
});

test("hands orders on, and answers on the connection that brought them", async () => {
  const { orders, stream } = await startJoined();
  stream.write({ load: { load: 7 } });
  await vi.waitFor(() => expect(orders).toHaveLength(1));
  const [message, answer] = orders[0] ?? [];
  expect(message?.load?.load).toBe(7);
  const answered = new Promise((resolve) =>
    stream.on("data", ({ ready }) => {
      if (ready != null) resolve(ready.load);
    }),
  );
  answer?.({ ready: { load: 7 } });
  expect(await answered).toBe(7);
});

test("leaves when the coordinator ends the stream, and does not join again", async () => {
  const { link, lost, stream } = await startJoined();
  const asked = nextMessage(stream);
  const left = link.leave(10_000);
  expect(await asked).toMatchObject({ leave: {} });
  stream.end();
  await left;
  expect(lost).not.toHaveBeenCalled();
});

test("leaves after a while when the coordinator says nothing, and at once before it has joined", async () => {
  const { link } = await startLink();
  await link.leave(60_000);
  const joined = await startJoined();
  await joined.link.leave(1);
});

test("leaves at once when somebody is impatient", async () => {
  const hurry = new AbortController();
  const { link, stream, warn } = await startJoined();
  const asked = nextMessage(stream);
  const left = link.leave(60_000, hurry.signal);
  expect(await asked).toMatchObject({ leave: {} });
  hurry.abort();
  await left;
  expect(warn).toHaveBeenCalledOnce();
});

test("says in its log why nobody holds its layers", async () => {
  const { link, stream, warn } = await startJoined();
  const left = link.leave(60_000);
  await nextMessage(stream);
  const problem = "The pipeline needs 2 workers.";
  stream.write({ left: { problem } });
  stream.end();
  await left;
  const text = "left, and nobody holds this worker's layers";
  expect(warn).toHaveBeenCalledExactlyOnceWith({ ms: expect.any(Number), problem }, text);
});

test("a worker that was drained says so to each coordinator that it joins", async () => {
  const { coordinator, stream, orders } = await startJoined();
  stream.write({ drain: {} });
  stream.write({ release: {} });
  await vi.waitFor(() => expect(orders).toHaveLength(1));
  stream.end();
  const { hello } = await coordinator.nextJoin();
  expect(hello.drained).toBe(true);
});

const REFUSAL = new RhoneError("INVALID_REQUEST", "Worker w speaks wire protocol 2, this coordinator 3.");

test.each<[string, (stream: JoinStream) => void, string, RegExp]>([
  [
    "ends the stream",
    (stream) => stream.end(),
    "WORKER_LOST",
    /^The connection to the coordinator at .* failed: it ended/,
  ],
  ["fails it", (stream) => stream.emit("error", toGrpcStatus(REFUSAL)), "INVALID_REQUEST", /^Worker w speaks/],
])("joins again when the coordinator %s", async (_, leave, code, message) => {
  const { link, coordinator, heartbeats, lost, stream } = await startJoined();
  leave(stream);
  const second = await coordinator.nextJoin();
  expect(lost).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
  expect(link.joined).toBe(false);
  expect(heartbeats.pause).toHaveBeenCalledOnce();
  second.stream.write({ welcome: { heartbeatMs: 80 } });
  await expect.poll(() => link.joined).toBe(true);
  expect(heartbeats.begin).toHaveBeenLastCalledWith(80);
});

test("a worker that is refused tries again, was never joined, and complains once", async () => {
  const { coordinator, lost, warn } = await startLink();
  for (let i = 0; i < 3; i++) (await coordinator.nextJoin()).stream.emit("error", toGrpcStatus(REFUSAL));
  await coordinator.nextJoin();
  expect(lost).not.toHaveBeenCalled();
  expect(warn).toHaveBeenCalledExactlyOnceWith({ reason: REFUSAL.message }, "not joined; trying again");
});

test("a connection that is lost is told once, by who lost it", async () => {
  const { coordinator, stream, lost, warn } = await startJoined();
  stream.emit("error", toGrpcStatus(REFUSAL));
  await coordinator.nextJoin();
  expect(lost).toHaveBeenCalledOnce();
  expect(warn).not.toHaveBeenCalled();
});

test("an order's answer goes nowhere once its connection is gone", async () => {
  const { orders, stream, coordinator } = await startJoined();
  stream.write({ load: { load: 7 } });
  await vi.waitFor(() => expect(orders).toHaveLength(1));
  stream.end();
  const second = await coordinator.nextJoin();
  orders[0]?.[1]({ ready: { load: 7 } });
  second.stream.write({ load: { load: 8 } });
  await vi.waitFor(() => expect(orders).toHaveLength(2));
  orders[1]?.[1]({ ready: { load: 8 } });
  expect(await nextMessage(second.stream)).toMatchObject({ ready: { load: 8 } });
});

test("closing ends the stream, and is no loss", async () => {
  const { link, lost, stream } = await startJoined();
  const ended = new Promise((resolve) => stream.once("end", () => resolve(null)));
  link.close();
  await ended;
  expect(lost).not.toHaveBeenCalled();
  expect(link.joined).toBe(false);
});
