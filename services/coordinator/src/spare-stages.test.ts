import { describe, expect, it } from "vitest";
import { jobs, TestCluster } from "./testing/use-cluster.js";

const cluster = TestCluster.use();

const layersOf = async () => {
  const { workers } = await cluster.coordinator.status();
  return Object.fromEntries(workers.map(({ worker, layers }) => [worker, layers]));
};

const sparesOf = async () => {
  const { workers } = await cluster.coordinator.status();
  return Object.fromEntries(workers.map(({ worker, spare }) => [worker, spare?.layers ?? []]));
};

/** Four workers w0 to w3 with two of eight layers each, and what each holds beside them. */
async function runFour(spares: number) {
  const coordinator = await cluster.run(4, ["--spares", String(spares)]);
  await expect.poll(async () => Object.values(await sparesOf()).every((layers) => layers.length === spares)).toBe(true);
  return coordinator;
}

const kill = (...names: readonly string[]): void => {
  for (const worker of cluster.workers) if (names.includes(worker.worker)) worker.kill();
};

it("a coordinator without spare stages has each worker free, once, what it holds for the one before", async () => {
  const coordinator = await cluster.run(2);
  const told = () => cluster.workers.map(({ spares }) => spares);
  await expect.poll(told).toEqual([[[]], [[]]]);
  await cluster.join("w2");
  cluster.workers[0]?.kill();
  await coordinator.until(({ state, epoch }) => state === "ready" && epoch > 1);
  await expect.poll(told).toEqual([[[]], [[]], [[]]]);
});

describe("workers with spare stages", () => {
  it("hold the stages that follow their own, once the pipeline is ready", async () => {
    const coordinator = await runFour(1);
    expect(await sparesOf()).toEqual({ w0: [[2, 4]], w1: [[4, 6]], w2: [[6, 8]], w3: [[0, 2]] });
    expect(cluster.workers.map(({ spares }) => spares)).toEqual([[[0, 2]], [[2, 4]], [[4, 6]], [[6, 0]]]);
    expect((await coordinator.status()).epoch).toBe(1);
  });

  it.each([
    ["w0", { w3: [0, 2], w1: [2, 4], w2: [4, 8] }],
    ["w1", { w0: [0, 4], w2: [4, 6], w3: [6, 8] }],
    ["w3", { w0: [0, 2], w1: [2, 4], w2: [4, 8] }],
  ])("go on without %s, whose layers others serve, and give them back when it is there again", async (lost, cut) => {
    const coordinator = await runFour(1);
    const all = jobs(6, 40);
    for (const job of all) await cluster.gateway.submit(job);
    kill(lost);
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    expect(await layersOf()).toEqual(cut);
    await cluster.expectSolo(all);
    const loadsBefore = cluster.workers.map(({ loads }) => loads.length);
    await cluster.join(lost);
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 3);
    expect(await layersOf()).toEqual({ w0: [0, 2], w1: [2, 4], w2: [4, 6], w3: [6, 8] });
    // Those that serve have their own shard ready beside the other one before the epoch changes.
    const since = cluster.workers.flatMap(({ loads }, index) => loads.slice(loadsBefore[index]));
    const [beside, others] = [since.filter((load) => load.beside), since.filter((load) => !load.beside)];
    expect(beside.length).toBe(others.length - 1);
  });

  it.each([
    ["neighbours", ["w1", "w2"], { w0: [0, 6], w3: [6, 8] }],
    ["the first ones", ["w0", "w1"], { w3: [0, 4], w2: [4, 8] }],
  ])("go on without two, %s, where each holds two stages more", async (_, lost, cut) => {
    const coordinator = await runFour(2);
    const all = jobs(4, 40);
    for (const job of all) await cluster.gateway.submit(job);
    kill(...lost);
    await expect.poll(layersOf).toEqual(cut);
    await coordinator.until(({ state }) => state === "ready");
    await cluster.expectSolo(all);
  });

  it("wait for a worker when a stage is held by nobody", async () => {
    const coordinator = await runFour(1);
    kill("w1", "w2");
    await coordinator.until(({ state, workers }) => state === "waiting_for_workers" && workers.length === 2);
    for (const worker of ["w1", "w2"]) await cluster.join(worker);
    await coordinator.until(({ state }) => state === "ready");
    expect(await layersOf()).toEqual({ w0: [0, 2], w1: [2, 4], w2: [4, 6], w3: [6, 8] });
  });

  it("let one leave in order that the pipeline could not do without", async () => {
    const coordinator = await runFour(1);
    const all = jobs(4, 40);
    for (const job of all) await cluster.gateway.submit(job);
    await cluster.workers[1]?.leave();
    expect(cluster.workers[1]?.left).toBe("");
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    expect(await layersOf()).toEqual({ w0: [0, 4], w2: [4, 6], w3: [6, 8] });
    await cluster.expectSolo(all);
  });

  it("serve at once when a spare worker would have to load, which then gets the layers in order", async () => {
    const coordinator = await runFour(1);
    let loaded = (): void => {};
    const beforeLoaded = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    await cluster.join("spare", { beforeLoaded });
    await coordinator.until(({ workers }) => workers.length === 5);
    kill("w1");
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    expect(await layersOf()).toMatchObject({ w0: [0, 4], spare: null });
    loaded();
    await coordinator.until(({ state, epoch }) => state === "ready" && epoch === 3);
    expect(await layersOf()).toMatchObject({ w0: [0, 2], spare: [2, 4] });
  });

  it("say what memory a spare stage would have needed", async () => {
    const coordinator = await cluster.start(["--workers", "2", "--spares", "1"]);
    await cluster.join("w0", { memoryTotal: 200_000 });
    await cluster.join("w1");
    await coordinator.until(({ state }) => state === "ready");
    await expect.poll(sparesOf).toMatchObject({ w1: [[0, 4]] });
    const { workers } = await coordinator.status();
    expect(workers[0]?.spare).toMatchObject({ layers: [], bytes: 0, needed: 293_445 });
  });
});
