import { fileURLToPath } from "node:url";
import { createLogger, FrameLink, loadConfig, PROTOCOL_VERSION, Shutdown, simulatedToken } from "@rhone/common";
import { openGguf, readModelConfig } from "@rhone/model";
import { expect, onTestFinished, test } from "vitest";
import { TestReceiver } from "../../../packages/common/src/grpc/testing/frame-receiver.js";
import { needsIpv6 } from "../../../packages/common/src/testing/ipv6.js";
import { shardWorkerSettings } from "./config.js";
import { PLAINTEXT } from "./testing/plaintext.js";
import { GREEDY, tokenBytes } from "./testing/steps.js";
import { nextMessage, TestCoordinator } from "./testing/test-coordinator.js";
import { startShardWorker } from "./worker.js";

const logger = createLogger({ service: "test", level: "silent" });
const path = fileURLToPath(new URL("../../../models/breeze-q8_0.gguf", import.meta.url));

/** A simulated worker that has joined the test's coordinator. */
async function startWorker(host = "127.0.0.1") {
  const coordinator = await TestCoordinator.open(host);
  const shutdown = new Shutdown(logger);
  onTestFinished(async () => {
    await shutdown.run();
    coordinator.close();
  });
  const flags = [
    "--coordinator",
    coordinator.address,
    "--host",
    host,
    "--simulate",
    "null",
    "--memory",
    "1000",
    "--threads",
    "2",
    "--allow-plaintext",
    "true",
  ];
  const config = loadConfig(shardWorkerSettings, {}, flags);
  const addresses = await startShardWorker({ config, logger, shutdown });
  return { coordinator, ...addresses, ...(await coordinator.nextJoin()) };
}

const status = async (ops: string, page: string) => fetch(`http://${ops}${page}`);

test("a worker says what it is, and is ready once the coordinator welcomes it", async () => {
  const { grpc, ops, hello, stream, coordinator } = await startWorker();
  expect(hello).toMatchObject({
    protocol: PROTOCOL_VERSION,
    address: grpc,
    operations: ops,
    memoryTotal: 1000,
    memoryFrom: "set by --memory",
    threads: 2,
    simulated: true,
    rowBlock: 1,
    pid: process.pid,
  });
  const before = await status(ops, "/ready");
  expect([before.status, await before.text()]).toEqual([503, expect.stringContaining("not joined to the coordinator")]);
  stream.write({ welcome: { heartbeatMs: 10 } });
  await expect.poll(async () => (await status(ops, "/ready")).status).toBe(200);
  expect(await (await status(ops, "/status")).json()).toMatchObject({ worker: hello.worker, joined: true, steps: 0 });
  expect(await coordinator.nextBeat()).toMatchObject({ worker: hello.worker, steps: 0, resident: expect.any(Number) });
});

test("a worker with IPv6 joins, and gives its addresses with brackets", async (context) => {
  needsIpv6(context);
  const { grpc, ops, hello, stream } = await startWorker("::1");
  expect([hello.address, hello.operations]).toEqual([grpc, ops]);
  for (const address of [grpc, ops]) expect(address).toMatch(/^\[::1\]:\d+$/);
  stream.write({ welcome: { heartbeatMs: 10 } });
  await expect.poll(async () => (await status(ops, "/ready")).status).toBe(200);
});

test("a worker loads a shard, takes part in an epoch, and answers a step", async () => {
  const next = await TestReceiver.open();
  onTestFinished(() => next.close());
  const file = await openGguf(path);
  const { nLayers, vocabSize } = readModelConfig(file);
  const { grpc, ops, stream } = await startWorker();
  stream.write({ welcome: { heartbeatMs: 1000 } });
  const model = { name: "breeze", path, fingerprint: file.headerFingerprint };
  const range = { firstLayer: 0, lastLayer: nLayers, embeds: true, heads: true };
  stream.write({ load: { load: 1, model, ...range, pages: 8, pageSize: 32, maxRows: 4 } });
  expect(await nextMessage(stream)).toMatchObject({ ready: { load: 1 } });
  stream.write({ epoch: { pipeline: "p", epoch: 1, stage: 0, next: next.address } });

  const link = new FrameLink({
    address: grpc,
    security: PLAINTEXT,
    expect: { role: "worker" },
    peer: "stage 0",
    onBroken: () => {},
  });
  onTestFinished(() => link.close());
  const head = { pipeline: "p", epoch: 1 };
  const spans = [{ sequence: 1, position: 0, count: 2, pages: [0], sample: true }];
  const step = { opens: [{ sequence: 1, sampling: GREEDY }], spans, tokens: tokenBytes([300, 301]) };
  // The epoch's order and the frames come on connections of their own: the first probes may be too early.
  await expect
    .poll(() => {
      link.send({ ...head, step: 1, probe: { workers: [] } });
      return next.frames.length;
    })
    .toBeGreaterThan(0);
  link.send({ ...head, step: 2, stepBody: step });
  await next.until(() => next.frames.some(({ result }) => result != null));
  const result = next.frames.find((frame) => frame.result != null);
  expect(result).toMatchObject({
    step: 2,
    result: { spans: [{ tokens: [{ token: simulatedToken(301, 1, vocabSize) }] }] },
  });
  link.send({
    ...head,
    step: 3,
    stepBody: { spans: [{ ...spans[0], count: 5 }], tokens: tokenBytes([1, 2, 3, 4, 5]) },
  });
  await next.until(() => next.frames.some(({ failure }) => failure != null));
  expect(next.frames.at(-1)?.failure).toMatchObject({
    code: "MESSAGE_MALFORMED",
    message: "step.spans have 5 rows; this shard takes at most 4.",
  });
  const metrics = await (await status(ops, "/metrics")).text();
  expect(metrics).toMatch(/^rhone_worker_steps_total\{model_name=""\} 1$/m);
  expect(metrics).toMatch(/^rhone_worker_step_failures_total\{model_name=""\} 1$/m);
});

test("an order that cannot be obeyed is answered, and the worker goes on", async () => {
  const { stream } = await startWorker();
  stream.write({ welcome: { heartbeatMs: 1000 } });
  const model = { name: "m", path: "/nowhere/m.gguf", fingerprint: "no SHA-256" };
  stream.write({ epoch: { next: "" } });
  stream.write({ load: { load: 3, model, lastLayer: 1, pages: 1, pageSize: 1, maxRows: 1 } });
  expect(await nextMessage(stream)).toMatchObject({ failed: { load: 3, code: "INVALID_REQUEST" } });
  stream.write({ release: {} });
  stream.write({ calibrate: { calibration: 4, rows: [1] } });
  expect(await nextMessage(stream)).toMatchObject({ calibrated: { calibration: 4, stepTimes: [] } });
});
