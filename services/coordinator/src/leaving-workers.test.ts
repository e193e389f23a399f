import { describe, expect, it } from "vitest";
import type { FakeWorker, FakeWorkerOptions } from "./testing/fake-worker.js";
import { jobs, TestCluster } from "./testing/use-cluster.js";

const cluster = TestCluster.use();

/** A promise, and what resolves it. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const layersOf = async () => {
  const { workers } = await cluster.coordinator.status();
  return Object.fromEntries(workers.map(({ worker, layers }) => [worker, layers]));
};

const loadsOf = ({ loads }: FakeWorker) => loads.map(({ firstLayer, beside }) => [firstLayer, beside ?? false]);

/** Three workers that are all stages, and may be two; what they load beside waits for the gate that `hold` sets. */
async function runThree(options: Partial<FakeWorkerOptions> = {}) {
  let held: Promise<void> | undefined;
  const coordinator = await cluster.start(["--workers", "2", "--grow", "true"]);
  for (const worker of ["w0", "w1", "w2"]) await cluster.join(worker, { beforeBeside: () => held, ...options });
  const { epoch } = await coordinator.until(
    ({ state, workers }) => state === "ready" && workers.filter(({ layers }) => layers !== null).length === 3,
  );
  const hold = () => {
    const { open, opened } = gate();
    held = opened;
    return open;
  };
  return { coordinator, epoch, hold };
}

describe("a coordinator whose worker leaves", () => {
  it("has the others load their next layers while all serve, and changes the epoch then", async () => {
    const { coordinator, epoch, hold } = await runThree();
    const loaded = hold();
    const all = jobs(4, 40);
    for (const job of all) await cluster.gateway.submit(job);
    const [w0, w1, w2] = cluster.workers;
    const left = w2?.leave();
    await expect.poll(() => [w0, w1].map((worker) => worker?.loads.at(-1)?.beside)).toEqual([true, true]);
    expect(await coordinator.status()).toMatchObject({ state: "ready", epoch });
    expect((await coordinator.status()).workers[2]).toMatchObject({ worker: "w2", going: "leaving" });
    loaded();
    await left;
    expect(w2?.left).toBe("");
    await coordinator.until(({ state, epoch: now }) => state === "ready" && now === epoch + 1);
    expect(await layersOf()).toEqual({ w0: [0, 4], w1: [4, 8] });
    await cluster.expectSolo(all);
  });

  it("goes on with those that are left when the leaver does not wait for them", async () => {
    const { coordinator, epoch, hold } = await runThree();
    const loaded = hold();
    const all = jobs(4, 40);
    for (const job of all) await cluster.gateway.submit(job);
    void cluster.workers[2]?.leave();
    await expect.poll(() => cluster.workers[0]?.loads.at(-1)?.beside).toBe(true);
    cluster.workers[2]?.kill();
    loaded();
    await coordinator.until(({ state, epoch: now }) => state === "ready" && now > epoch);
    await cluster.expectSolo(all);
  });

  it("has a worker without memory for two shards load its next one when the plan changes", async () => {
    const { coordinator, epoch } = await runThree({ memoryTotal: 1e9, pageBytes: 1e9 });
    await cluster.workers[2]?.leave();
    await coordinator.until(({ state, epoch: now }) => state === "ready" && now === epoch + 1);
    expect(await layersOf()).toEqual({ w0: [0, 4], w1: [4, 8] });
    expect(cluster.workers.flatMap(({ loads }) => loads.filter(({ beside }) => beside))).toEqual([]);
  });

  it("prepares one plan for two that leave", async () => {
    const coordinator = await cluster.run(2);
    const { open, opened } = gate();
    for (const spare of ["s0", "s1"]) await cluster.join(spare, { beforeLoaded: opened });
    await coordinator.until(({ workers }) => workers.length === 4);
    const [w0, w1, s0, s1] = cluster.workers;
    const left = [w0?.leave(), w1?.leave()];
    await expect.poll(() => s0?.loads.length).toBe(1);
    open();
    await Promise.all(left);
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch > 1);
    expect(await layersOf()).toEqual({ s0: [0, 4], s1: [4, 8] });
    expect([w0?.left, w1?.left]).toEqual(["", ""]);
    expect([s0?.loads.length, s1?.loads.length]).toEqual([1, 1]);
  });

  it("tries each spare before it lets a worker go whose layers nobody can load", async () => {
    const coordinator = await cluster.run(2);
    const loadFailure = { code: "OUT_OF_MEMORY", message: "no room" };
    const failing = await cluster.join("a", { loadFailure });
    const sound = await cluster.join("b");
    await coordinator.until(({ workers }) => workers.length === 4);
    await cluster.workers[0]?.leave();
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    expect(await layersOf()).toMatchObject({ a: null, b: [0, 4] });
    expect([failing.loads.length, sound.loads.length]).toEqual([1, 1]);
  });

  it("says at once that no plan without it exists", async () => {
    await cluster.run(2);
    await cluster.workers[1]?.leave();
    expect(cluster.workers[1]?.left).toMatch(/^The pipeline needs 2 workers, and without .* it has 1\./);
    const status = await cluster.coordinator.until(({ state }) => state === "waiting_for_workers");
    expect(status.workers.map(({ worker }) => worker)).toEqual(["w0"]);
  });
});

describe("draining a worker", () => {
  it("gives its layers to a spare first; it stays, and gets none", async () => {
    const coordinator = await cluster.run(2);
    const { open, opened } = gate();
    const spare = await cluster.join("spare", { beforeLoaded: opened });
    await coordinator.until(({ workers }) => workers.length === 3);
    const all = jobs(4, 40);
    for (const job of all) await cluster.gateway.submit(job);
    const drained = coordinator.drain("w0");
    await expect.poll(() => spare.loads.length).toBe(1);
    expect(await coordinator.status()).toMatchObject({ state: "ready", epoch: 1 });
    expect((await coordinator.status()).workers[0]).toMatchObject({ layers: [0, 4], going: "draining" });
    open();
    expect(await drained).toMatchObject({ code: 200, body: { worker: "w0", going: "drained" } });
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    expect(await layersOf()).toEqual({ w0: null, w1: [4, 8], spare: [0, 4] });
    expect(cluster.workers[0]?.isDrained).toBe(true);
    await expect.poll(() => cluster.workers[0]?.releases).toBe(1);
    expect(loadsOf(spare)).toEqual([[0, false]]);
    await cluster.expectSolo(all);
    expect(await coordinator.drain("w0")).toMatchObject({ code: 200, body: { worker: "w0", going: "drained" } });
    expect(await coordinator.status()).toMatchObject({ state: "ready", epoch: 2 });
    cluster.workers[1]?.kill();
    const { reason } = await coordinator.until(({ state }) => state === "waiting_for_workers");
    await expect
      .poll(async () => (await coordinator.status()).reason ?? reason)
      .toBe("1 of 2 workers have joined; 1 more is drained");
  });

  it("waits while the stages of an epoch connect", async () => {
    const { open, opened } = gate();
    const coordinator = await cluster.start(["--workers", "2"]);
    for (const worker of ["w0", "w1", "spare"]) await cluster.join(worker, { beforeProbe: opened });
    await coordinator.until(({ state, workers }) => state === "probing" && workers.length === 3);
    const drained = coordinator.drain("w0");
    await coordinator.until(({ workers }) => workers[0]?.going === "draining");
    open();
    expect(await drained).toMatchObject({ code: 200, body: { worker: "w0", going: "drained" } });
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    expect(await layersOf()).toMatchObject({ w0: null, w1: [4, 8], spare: [0, 4] });
  });

  it("drains a spare at once", async () => {
    const coordinator = await cluster.run(1);
    await cluster.join("spare");
    await coordinator.until(({ workers }) => workers.length === 2);
    expect(await coordinator.drain("spare")).toMatchObject({ code: 200, body: { going: "drained" } });
    expect(await coordinator.status()).toMatchObject({ state: "ready", epoch: 1 });
  });

  it("is refused for the last worker, which serves on, and for one that nobody knows", async () => {
    const coordinator = await cluster.run(1);
    expect(await coordinator.drain("w0")).toMatchObject({
      code: 503,
      body: { error: { code: "NO_PIPELINE", message: expect.stringMatching(/^The pipeline needs 1 worker, /) } },
    });
    const { workers, state } = await coordinator.status();
    expect([state, workers[0]?.going, workers[0]?.layers]).toEqual(["ready", undefined, [0, 8]]);
    expect(await coordinator.drain("w9")).toMatchObject({ code: 404, body: { error: { code: "NOT_FOUND" } } });
  });

  it("is refused while the pipeline is down and can't come back without the worker", async () => {
    const coordinator = await cluster.run(2);
    cluster.workers[1]?.kill();
    await coordinator.until(({ state }) => state === "waiting_for_workers");
    expect(await coordinator.drain("w0")).toMatchObject({ code: 503, body: { error: { code: "NO_PIPELINE" } } });
    await cluster.join("w2");
    await coordinator.until(({ state }) => state === "ready");
    expect(await layersOf()).toMatchObject({ w0: expect.anything(), w2: expect.anything() });
  });

  it("is done with the next plan when another worker is lost meanwhile", async () => {
    const coordinator = await cluster.run(2);
    const { open, opened } = gate();
    for (const spare of ["s0", "s1"]) await cluster.join(spare, { beforeLoaded: opened });
    await coordinator.until(({ workers }) => workers.length === 4);
    const drained = coordinator.drain("w1");
    await expect.poll(() => cluster.workers[2]?.loads.length).toBe(1);
    cluster.workers[0]?.kill();
    expect(await drained).toMatchObject({ code: 200, body: { worker: "w1", going: "drained" } });
    open();
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch > 1);
    const { w1, s0, s1 } = await layersOf();
    expect([w1, s0, s1].toSorted()).toEqual([[0, 4], [4, 8], null]);
  });

  it("outlives the coordinator: a worker that was drained says so when it joins", async () => {
    const coordinator = await cluster.start(["--workers", "1"]);
    await cluster.join("w0", { drained: true });
    const { workers, reason } = await coordinator.until((status) => status.workers.length === 1);
    expect(workers[0]?.going).toBe("drained");
    expect(reason).toBe("0 of 1 workers have joined; 1 more is drained");
    await cluster.join("w1");
    await coordinator.until(({ state }) => state === "ready");
    expect(await layersOf()).toEqual({ w0: null, w1: [0, 8] });
  });
});
