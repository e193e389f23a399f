import { FrameLink, openSecurity, type RhoneError, type Security, type SecurityConfig } from "@rhone/common";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { TestAuthority } from "../../../packages/common/src/testing/test-authority.js";
import { jobs, TestCluster } from "./testing/use-cluster.js";

const cluster = TestCluster.use();
let authority: TestAuthority;
beforeEach(() => {
  authority = new TestAuthority();
});
afterEach(() => authority.close());

const flagsOf = ({ tlsCa = "", tlsCert = "", tlsKey = "" }: SecurityConfig): readonly string[] => [
  ...["--tls-ca", tlsCa, "--tls-cert", tlsCert, "--tls-key", tlsKey],
];

function certified(name: string): Security {
  const security = openSecurity(authority.issue({ role: "worker", name }));
  onTestFinished(() => security.close());
  return security;
}

/** A coordinator with the certified workers w0 and w1, ready. */
async function run() {
  const flags = flagsOf(authority.issue({ role: "coordinator", name: "c" }));
  const coordinator = await cluster.start(["--workers", "2", ...flags]);
  for (const name of ["w0", "w1"]) await cluster.join(name, { security: certified(name) });
  const status = await coordinator.until(({ state }) => state === "ready");
  return { coordinator, status };
}

test("a pipeline of certified processes comes up and answers", async () => {
  await run();
  for (const job of jobs(3)) await cluster.gateway.submit(job);
  await cluster.expectSolo(jobs(3));
});

test("a worker joins by its certificate's name only, and not in place of a live one", async () => {
  const { coordinator } = await run();
  const forger = await cluster.join("w1", { security: certified("v") });
  await expect.poll(() => forger.ended).toMatch(/The certificate is of worker v, the message of worker w1/);
  const copy = await cluster.join("w1", { security: certified("w1") });
  await expect.poll(() => copy.ended).toMatch(/Worker w1 is live in another process/);
  const { state, epoch, workers } = await coordinator.status();
  expect({ state, epoch, workers: workers.map(({ worker }) => worker) }).toMatchObject({
    ...{ state: "ready", epoch: 1, workers: ["w0", "w1"] },
  });
});

test("results of a worker that is not the last stage are refused by name, and the pipeline goes on", async () => {
  const { coordinator, status } = await run();
  const onBroken = vi.fn<(error: RhoneError) => void>();
  const link = new FrameLink({
    address: coordinator.addresses.grpc,
    security: certified("v"),
    expect: { role: "coordinator", name: "c" },
    peer: "the coordinator",
    onBroken,
  });
  onTestFinished(() => link.close());
  const failure = { code: "KV_FULL", message: "forged", worker: "w1", stage: 1 };
  link.send({ pipeline: status.coordinator, epoch: status.epoch, step: 1, failure });
  await vi.waitFor(() => expect(onBroken).toHaveBeenCalledOnce());
  expect(onBroken.mock.calls[0]?.[0]).toMatchObject({
    code: "FORBIDDEN_PEER",
    message: "Epoch 1 takes results of worker w1 only; this sender is worker v.",
  });
  expect(await coordinator.status()).toMatchObject({ state: "ready", epoch: 1 });
});

test("a process with a coordinator's certificate can't join as a worker", async () => {
  const { coordinator } = await run();
  const security = openSecurity(authority.issue({ role: "coordinator", name: "d" }));
  onTestFinished(() => security.close());
  const forger = await cluster.join("d", { security });
  await expect
    .poll(() => forger.ended)
    .toMatch(/Control\/Join: the caller is coordinator d; this is only for a worker/);
  expect((await coordinator.status()).workers).toHaveLength(2);
});
