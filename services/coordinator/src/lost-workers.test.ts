import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { fakeJob } from "./testing/fake-job.js";
import { jobs, prompt, TestCluster } from "./testing/use-cluster.js";

const cluster = TestCluster.use();

describe("a coordinator that loses a worker", () => {
  it("continues without a lost, doubled or changed token when a worker dies and returns", async () => {
    let steps = 0;
    const coordinator = await cluster.start(["--workers", "3"]);
    for (const worker of ["w0", "w1", "w2"]) {
      await cluster.join(worker, { onStep: () => worker === "w1" && ++steps === 12 && cluster.workers[1]?.kill() });
    }
    await coordinator.until((status) => status.state === "ready");
    const all = jobs(6, 30);
    for (const job of all) await cluster.gateway.submit(job);
    await coordinator.until((status) => status.state === "waiting_for_workers");
    await cluster.join("w1");
    await cluster.expectSolo(all);
    expect((await coordinator.status()).epoch).toBeGreaterThan(1);
    expect(cluster.workers[0]?.loads).toHaveLength(1); // survivors keep their shards
  });

  it("gives a lost worker's layers to a spare", async () => {
    await cluster.run(2);
    await cluster.join("spare");
    await cluster.coordinator.until((status) => status.workers.length === 3);
    cluster.workers[0]?.kill();
    const status = await cluster.coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    const layers = Object.fromEntries(status.workers.map((worker) => [worker.worker, worker.layers]));
    expect(layers).toEqual({ w1: [4, 8], spare: [0, 4] });
  });

  it("has a spare load the shard of a worker that leaves before it lets that one go", async () => {
    await cluster.run(2);
    let loaded = (): void => {};
    const beforeLoaded = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    const spare = await cluster.join("spare", { beforeLoaded });
    await cluster.coordinator.until((status) => status.workers.length === 3);
    const all = jobs(4, 40);
    for (const job of all) await cluster.gateway.submit(job);
    const left = cluster.workers[0]?.leave();
    await expect.poll(() => spare.loads.length).toBe(1);
    expect(await cluster.coordinator.status()).toMatchObject({ state: "ready", epoch: 1 });
    loaded();
    await left;
    const status = await cluster.coordinator.until(({ state, epoch }) => state === "ready" && epoch === 2);
    expect(status.workers.map(({ worker, layers }) => [worker, layers])).toEqual([
      ["w1", [4, 8]],
      ["spare", [0, 4]],
    ]);
    expect([spare.loads.length, cluster.workers[1]?.loads.length]).toEqual([1, 1]);
    await cluster.expectSolo(all);
  });

  it("ends requests with a reason when no worker comes back", async () => {
    await cluster.run(1, ["--recovery-timeout", "0.2"]);
    await cluster.gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 100 }));
    await cluster.gateway.until(() => cluster.gateway.events("a").length > 0);
    cluster.workers[0]?.kill();
    expect((await cluster.gateway.finished("a")).at(-1)?.finish).toMatchObject({
      reason: "error",
      code: "WORKER_LOST",
    });
  });
});

describe("a worker that is killed", () => {
  it("is lost at once, when its system ends its side of the connections and says no more", async () => {
    const coordinator = await cluster.start(["--workers", "1", "--recovery-timeout", "0.2"]);
    const { cut, address } = await relayTo(coordinator.addresses.grpc);
    await cluster.join("w0", { coordinator: address });
    await coordinator.until(({ state }) => state === "ready");
    await cluster.gateway.submit(fakeJob({ requestId: "a", promptIds: prompt(5), maxTokens: 120 }));
    await cluster.gateway.until(() => cluster.gateway.events("a").length > 0);
    cut();
    expect((await cluster.gateway.finished("a")).at(-1)?.finish).toMatchObject({
      code: "WORKER_LOST",
      message: expect.not.stringContaining("silent"),
    });
  });
});

/** Passes bytes on until `cut` ends its side of the connections towards `target`. */
async function relayTo(target: string) {
  const sockets: Socket[] = [];
  const relay = createServer({ allowHalfOpen: true }, (caller) => {
    const socket = connect({ port: Number(target.split(":").at(-1)), host: "127.0.0.1", allowHalfOpen: true });
    sockets.push(socket);
    caller.pipe(socket, { end: false });
    socket.pipe(caller);
    for (const each of [caller, socket]) each.on("error", () => {});
    onTestFinished(() => void caller.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = relay.address() as AddressInfo;
  const cut = (): void => {
    for (const socket of sockets) socket.end();
  };
  return { address: `127.0.0.1:${port}`, cut };
}

describe("a request that takes workers down", () => {
  it("is ended after a few pipelines; the others, which began beside it, get all their tokens", async () => {
    const coordinator = await cluster.start(["--workers", "2"]);
    let deaths = 0;
    const joinLast = async (): Promise<void> => {
      const last = await cluster.join(`last${deaths}`, {
        onStep: ({ opens }) => {
          if (!opens?.some(({ sampling }) => sampling?.seed === 666)) return;
          deaths++;
          last.kill();
          void joinLast();
        },
      });
    };
    await cluster.join("first");
    await joinLast();
    await coordinator.until(({ state }) => state === "ready");
    const [bad = fakeJob({ requestId: "bad", promptIds: [] }), ...good] = jobs(8, 30);
    await cluster.gateway.submit({ ...bad, sampling: { ...bad.sampling, seed: 666 } });
    for (const job of good) await cluster.gateway.submit(job);
    expect((await cluster.gateway.finished(bad.requestId)).at(-1)?.finish).toMatchObject({
      reason: "error",
      code: "REQUEST_BREAKS_PIPELINE",
      message: expect.stringContaining("Worker last5 was lost"),
    });
    await cluster.expectSolo(good);
    expect(deaths).toBe(6);
  }, 60_000);

  it("ends the one request that makes a stage fail, and serves the others", async () => {
    let poison = 0;
    const coordinator = await cluster.start(["--workers", "1"]);
    await cluster.join("w0", {
      onStep: () => {
        if (poison-- > 0) throw new Error("the stage does not like this");
      },
    });
    await coordinator.until(({ state }) => state === "ready");
    poison = 6;
    await cluster.gateway.submit(fakeJob({ requestId: "bad", promptIds: prompt(4) }));
    expect((await cluster.gateway.finished("bad")).at(-1)?.finish).toMatchObject({
      reason: "error",
      code: "REQUEST_BREAKS_PIPELINE",
      message: expect.stringContaining("the stage does not like this"),
    });
    const good = fakeJob({ requestId: "good", promptIds: prompt(4) });
    await cluster.gateway.submit(good);
    await cluster.expectSolo([good]);
  }, 20_000);
});
