import { PROTOCOL_VERSION, statusKey } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { needsIpv6 } from "../../../packages/common/src/testing/ipv6.js";
import { fakeJob } from "./testing/fake-job.js";
import { jobs, prompt, TestCluster, tokensOf } from "./testing/use-cluster.js";

const cluster = TestCluster.use();

const outOfMemory = { code: "OUT_OF_MEMORY", message: "8 GiB needed, 1 GiB there" };

describe("a coordinator whose workers join", () => {
  it("has brackets around an IPv6 address, where workers find it", async (context) => {
    needsIpv6(context);
    await cluster.run(1, ["--host", "::1"]);
    const { grpc, ops } = cluster.coordinator.addresses;
    for (const address of [grpc, ops]) expect(address).toMatch(/^\[::1\]:\d+$/);
    expect((await cluster.coordinator.status()).operations).toBe(ops);
  });

  it("shows why a shard could not be loaded, and tries again when another worker joins", async () => {
    const coordinator = await cluster.start(["--workers", "1"]);
    const failing = await cluster.join("w0", { loadFailure: outOfMemory });
    const status = await coordinator.until(({ state }) => state === "failed");
    expect(status.reason).toMatch(/OUT_OF_MEMORY: Worker w0 .* 8 GiB needed/);
    failing.kill();
    await cluster.join("w1");
    await coordinator.until(({ state }) => state === "ready");
  });

  it("replaces a worker that can't load by one that joins later, and tries it again when that is lost", async () => {
    const coordinator = await cluster.start(["--workers", "1"]);
    const failing = await cluster.join("w0", { loadFailure: outOfMemory });
    await coordinator.until(({ state }) => state === "failed");
    const sound = await cluster.join("w1");
    const status = await coordinator.until(({ state }) => state === "ready");
    expect(status.workers.map(({ worker, layers }) => [worker, layers])).toEqual([
      ["w0", null],
      ["w1", [0, 8]],
    ]);
    await expect.poll(() => failing.releases).toBe(1);
    sound.kill();
    await coordinator.until(({ state, reason }) => state === "failed" && /Worker w0/.test(reason ?? ""));
    expect(failing.loads).toHaveLength(2);
  });

  it("lets every spare try before it waits for another worker", async () => {
    await cluster.run(1);
    await cluster.join("w1", { loadFailure: outOfMemory });
    await cluster.join("w2");
    await cluster.coordinator.until(({ workers: joined }) => joined.length === 3);
    cluster.workers[0]?.kill();
    const status = await cluster.coordinator.until(({ state, epoch }) => state === "ready" && epoch > 1);
    expect(status.workers.map(({ worker, layers }) => [worker, layers])).toEqual([
      ["w1", null],
      ["w2", [0, 8]],
    ]);
  });

  it("does not miss a worker that joins while another one's load is about to fail", async () => {
    const coordinator = await cluster.start(["--workers", "1"]);
    let fail = (): void => {};
    const beforeLoaded = new Promise<void>((resolve) => {
      fail = resolve;
    });
    await cluster.join("w0", { loadFailure: outOfMemory, beforeLoaded });
    await coordinator.until(({ state }) => state === "loading");
    await cluster.join("w1");
    await coordinator.until(({ workers: joined }) => joined.length === 2);
    fail();
    const status = await coordinator.until(({ state }) => state === "ready");
    expect(status.workers.map(({ layers }) => layers)).toEqual([null, [0, 8]]);
  });

  it("grows by workers that join later, and shrinks when one leaves, where it may", async () => {
    await cluster.run(1, ["--grow", "true"]);
    const all = jobs(4, 40);
    for (const job of all) await cluster.gateway.submit(job);
    for (const worker of ["w1", "w2"]) await cluster.join(worker);
    const grown = await cluster.coordinator.until(({ state, epoch }) => state === "ready" && epoch > 1);
    expect(grown.epoch).toBe(2);
    expect(grown.workers.filter(({ layers }) => layers !== null)).toHaveLength(3);
    await cluster.workers[2]?.leave();
    const shrunk = await cluster.coordinator.until(({ state, epoch }) => state === "ready" && epoch > 2);
    expect(shrunk.workers.map(({ layers }) => layers)).toEqual([
      [0, 4],
      [4, 8],
    ]);
    await cluster.expectSolo(all);
  });

  it("serves on while a worker that joins later loads its part", async () => {
    await cluster.run(1, ["--grow", "true"]);
    let loaded = (): void => {};
    const beforeLoaded = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    const newcomer = await cluster.join("w1", { beforeLoaded });
    await expect.poll(() => newcomer.loads.length, { timeout: 5000 }).toBe(1);
    await cluster.gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 4 }));
    expect(tokensOf(await cluster.gateway.finished("a"))).toHaveLength(4);
    expect(await cluster.coordinator.status()).toMatchObject({ state: "ready", epoch: 1 });
    loaded();
    const { workers } = await cluster.coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    expect(workers.map(({ layers }) => layers)).toEqual([
      [0, 4],
      [4, 8],
    ]);
    expect(newcomer.loads).toHaveLength(1);
  });

  it("a worker that joins later and can't load its part interrupts nobody, and the others grow without it", async () => {
    await cluster.run(1, ["--grow", "true"]);
    const failing = await cluster.join("w1", { loadFailure: outOfMemory });
    await cluster.join("w2");
    const { workers, epoch } = await cluster.coordinator.until(({ workers: all }) => all[2]?.layers != null);
    expect(epoch).toBe(2);
    expect(workers.map(({ layers }) => layers)).toEqual([[0, 4], null, [4, 8]]);
    expect(failing.loads).toHaveLength(1);
  });

  it("goes on without a worker that joins before the pipeline is ready and can't load its part", async () => {
    const coordinator = await cluster.start(["--workers", "1", "--grow", "true"]);
    let loaded = (): void => {};
    const beforeLoaded = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    await cluster.join("w0", { beforeLoaded });
    await coordinator.until(({ state }) => state === "loading");
    const failing = await cluster.join("w1", { loadFailure: outOfMemory });
    await coordinator.until(({ workers: joined }) => joined.length === 2);
    loaded();
    const { workers } = await coordinator.until(({ state }) => state === "ready");
    expect(workers.map(({ layers }) => layers)).toEqual([[0, 8], null]);
    expect(failing.loads).toHaveLength(1);
  });

  it("tells each worker how the pipeline fares and which layers it has", async () => {
    await cluster.run(2);
    const standing = { state: "ready", reason: "", model: "fake", workers: 2 };
    await expect.poll(() => cluster.workers[0]?.standing).toMatchObject({ ...standing, firstLayer: 0, lastLayer: 4 });
    const spare = await cluster.join("spare");
    await expect.poll(() => spare.standing).toMatchObject({ ...standing, workers: 3, firstLayer: 0, lastLayer: 0 });
  });

  it("says what is lacking when the model does not fit", async () => {
    const coordinator = await cluster.start(["--workers", "1"]);
    await cluster.join("w0", { memoryTotal: 2000 });
    const status = await coordinator.until(({ state }) => state === "failed");
    expect(status.reason).toMatch(/NOT_ENOUGH_MEMORY: .*w0: layers 0 to 7 need 0.294 MB, it has 0.002 MB/);
  });

  it("refuses a worker of another protocol", async () => {
    await cluster.start(["--workers", "1"]);
    const worker = await cluster.join("w0", { protocol: 99 });
    await expect.poll(() => worker.ended).toContain(`speaks wire protocol 99, this coordinator ${PROTOCOL_VERSION}`);
  });

  it("cuts the layers again when measured times make another cut clearly faster, once", async () => {
    const coordinator = await cluster.start(["--workers", "2"]);
    await cluster.join("fast");
    await cluster.join("slow", { layerMs: 3 });
    const status = await coordinator.until(({ state }) => state === "ready");
    const layers = Object.fromEntries(status.workers.map((worker) => [worker.worker, worker.layers]));
    expect(layers).toEqual({ fast: [0, 6], slow: [6, 8] });
    expect(cluster.workers.map(({ loads }) => loads.length)).toEqual([2, 2]);
    expect(status.workers.map(({ stepTimes }) => stepTimes?.alone[0]?.layerMs)).toEqual([1, 3]);
    await cluster.gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 4 }));
    expect(tokensOf(await cluster.gateway.finished("a"))).toHaveLength(4);
  });

  it.each([
    [1, 1.2],
    [1.2, 1],
    [5, 5],
  ])("gives equal workers the same layers at every start: measured %s and %s ms", async (...layerMs) => {
    const coordinator = await cluster.start(["--workers", "2"]);
    for (const [index, ms] of layerMs.entries()) await cluster.join(`w${index}`, { layerMs: ms });
    const status = await coordinator.until(({ state }) => state === "ready");
    expect(status.workers.map(({ layers }) => layers)).toEqual([
      [0, 4],
      [4, 8],
    ]);
    expect(status.epoch).toBe(1);
  });

  it("says what it waits for", async () => {
    const coordinator = await cluster.start(["--workers", "2"]);
    await cluster.join("w0");
    const status = await coordinator.until(({ workers: joined }) => joined.length === 1);
    expect(status).toMatchObject({ state: "waiting_for_workers", reason: "1 of 2 workers have joined" });
    expect((await fetch(`http://${coordinator.addresses.ops}/ready`)).status).toBe(503);
    const published = await cluster.gateway.redis.get(statusKey(status.coordinator));
    expect(JSON.parse(published ?? "{}").state).toBe("waiting_for_workers");
  });
});
