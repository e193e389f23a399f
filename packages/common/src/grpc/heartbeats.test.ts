import type { handleUnaryCall } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { openSecurity } from "../security/security.js";
import { TestChild } from "../testing/child-process.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { TestAuthority } from "../testing/test-authority.js";
import { GrpcServer } from "./channel.js";
import { controlService, type Heartbeat } from "./services.js";

/** A coordinator that only listens to hearts. */
async function listen(security = PLAINTEXT) {
  const beats: Heartbeat[] = [];
  const beat: handleUnaryCall<Heartbeat, object> = ({ request }, answer) => {
    beats.push(request);
    answer(null, {});
  };
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security }, (services) =>
    services.addService(controlService, { join: () => {}, beat }),
  );
  onTestFinished(() => server.close());
  return { beats, coordinator: `127.0.0.1:${server.port}` };
}

const PATIENCE = { timeout: 20_000, interval: 10 };

/** A worker whose main thread does `then` once its heart beats. */
const worker = (coordinator: string, then: string, security: object = { allowPlaintext: true }) =>
  new TestChild(
    `
    const counts = () => ({ steps: 7, busyUs: 8 });
    const onSilent = () => process.send({ kind: "silent" });
    const security = common.openSecurity(${JSON.stringify(security)});
    const heartbeats = new common.Heartbeats({ coordinator: "${coordinator}", security, worker: "w", counts, onSilent });
    process.on("message", () => {
      ${then}
      process.send({ kind: "then" });
    });
    heartbeats.begin(50);
    `,
    { files: ["grpc/heartbeats", "security/security"] },
  );

test("heartbeats carry the counters, and go on while the main thread is blocked", { timeout: 30_000 }, async () => {
  const { beats, coordinator } = await listen();
  const child = worker(coordinator, "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);");
  await expect.poll(() => beats.at(-1), PATIENCE).toMatchObject({ worker: "w", steps: 7, busyUs: 8 });
  expect(beats.at(-1)?.resident).toBeGreaterThan(1e6);
  const before = beats.length;
  child.process.send("block");
  await child.message();
  const during = beats.slice(before).map(({ stillMs }) => stillMs ?? 0);
  expect(during.length).toBeGreaterThan(10); // of 40, on an idle machine
  expect(Math.max(...during)).toBeGreaterThanOrEqual(1250);
  expect(Math.max(...during)).toBeLessThan(4000);
  await expect.poll(() => beats.at(-1)?.stillMs, PATIENCE).toBeLessThan(500);
});

test("a coordinator that answers no more is told, once in 5 s", { timeout: 40_000 }, async () => {
  let answers = true;
  const beat: handleUnaryCall<Heartbeat, object> = (_call, answer) => answers && answer(null, {});
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security: PLAINTEXT }, (services) =>
    services.addService(controlService, { join: () => {}, beat }),
  );
  onTestFinished(() => server.close());
  const child = worker(`127.0.0.1:${server.port}`, 'heartbeats.begin(50); process.send({ kind: "begun" });');
  child.process.send("begin");
  await child.message();
  answers = false;
  const startedAt = performance.now();
  await child.answer("silent");
  expect(performance.now() - startedAt).toBeGreaterThan(4000);
});

test("no heart beats while it is paused", { timeout: 30_000 }, async () => {
  const { beats, coordinator } = await listen();
  const child = worker(coordinator, "heartbeats.pause();");
  await expect.poll(() => beats.length, PATIENCE).toBeGreaterThan(2);
  child.process.send("pause");
  await child.message();
  const { length } = beats;
  child.process.send("pause again");
  await child.message();
  expect(beats.length).toBeLessThanOrEqual(length + 2); // those under way
});

test("their thread shows the worker's certificate", { timeout: 30_000 }, async () => {
  const authority = new TestAuthority();
  const security = openSecurity(authority.issue({ role: "coordinator", name: "a" }));
  onTestFinished(() => {
    security.close();
    authority.close();
  });
  const { beats, coordinator } = await listen(security);
  worker(coordinator, "", authority.issue({ role: "worker", name: "w" }));
  await expect.poll(() => beats.at(-1), PATIENCE).toMatchObject({ worker: "w" });
});
