import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { commandWriter } from "../config.js";
import { aliveProcesses, readClusterRecord } from "./cluster-record.js";
import { urlOf } from "./run-cluster.js";
import { startFakeCluster } from "./testing/fake-cluster.js";

afterEach(() => vi.unstubAllEnvs());

const MEMORY = /^(The|Each) worker may use [\d.]+ [MG]B: \d+ % of [\d.]+ [MG]B( free|, | left)/;

test.each([
  ["127.0.0.1", "http://127.0.0.1:80"],
  ["0.0.0.0", "http://127.0.0.1:80"],
  ["::1", "http://[::1]:80"],
  ["::", "http://[::1]:80"],
  ["fd00::7", "http://[fd00::7]:80"],
  ["node-a", "http://node-a:80"],
])("clients of a gateway at %s are sent to %s", (host, url) => expect(urlOf(host, 80)).toBe(url));

describe("a cluster that comes up", () => {
  test("reports its phases in order, then its address; stops gateway, coordinator, workers, Redis", async () => {
    const cluster = await startFakeCluster();
    const url = await cluster.ready;
    const done = cluster.events.flatMap((event) => (event.kind === "phase" && event.done ? [event.phase] : []));
    expect(done).toEqual(["model", "redis", "coordinator", "workers", "weights", "probe", "gateway"]);
    expect(cluster.events.at(-1)).toEqual({ kind: "ready", url });
    expect(JSON.stringify(cluster.events).split(new URL(url).host)).toHaveLength(2); // it is told once
    const record = await readClusterRecord(cluster.dataDir);
    expect(record).toMatchObject({ state: "ready", url, model: "breeze" });
    expect((await stat(cluster.dataDir.clusterFile)).mode & 0o777).toBe(0o600);
    expect((await stat(cluster.dataDir.root)).mode & 0o777).toBe(0o700);
    expect(record?.services.map(({ name }) => name).sort()).toEqual([
      "coordinator",
      "gateway",
      "redis",
      "worker-1",
      "worker-2",
    ]);

    cluster.stop.abort();
    await cluster.over;
    const stopped = (await cluster.journal()).filter((line) => line.startsWith("stopped"));
    expect(stopped.map((line) => line.split(" ")[1])).toEqual([
      "gateway",
      "coordinator",
      "shardWorker",
      "shardWorker",
      "redisHost",
    ]);
    expect(existsSync(cluster.dataDir.clusterFile)).toBe(false);
    if (record !== null)
      expect(aliveProcesses({ ...record, supervisor: record.services[0] ?? record.supervisor })).toEqual([]);
  });

  test("starts a killed worker again", async () => {
    const cluster = await startFakeCluster();
    await cluster.ready;
    const worker = (await readClusterRecord(cluster.dataDir))?.services.find(({ name }) => name === "worker-1");
    process.kill(worker?.pid ?? 0, "SIGKILL");
    const isBack = async () => {
      const now = (await readClusterRecord(cluster.dataDir))?.services.find(({ name }) => name === "worker-1");
      return now !== undefined && now.pid !== worker?.pid;
    };
    while (!(await isBack())) await sleep(20);
    expect(cluster.events.at(-1)).toEqual({
      kind: "warning",
      text: "Worker 1 ended unexpectedly (signal SIGKILL). Restarting it.",
    });
  });

  test("a second signal ends even a service that does not listen", async () => {
    const cluster = await startFakeCluster({ stubborn: "gateway" });
    await cluster.ready;
    cluster.stop.abort();
    cluster.kill.abort();
    await cluster.over;
  });
});

describe("what a cluster tells when it is ready", () => {
  const notes = (cluster: Awaited<ReturnType<typeof startFakeCluster>>) =>
    cluster.events.flatMap((event) => (event.kind === "note" ? [event.text] : []));

  test("how to make a key, when the gateway asks for one", async () => {
    const cluster = await startFakeCluster({ asksForKeys: true });
    await cluster.ready;
    const create = commandWriter(cluster.dataDir.root)("keys create NAME");
    expect(notes(cluster)).toContain(`Requests need an API key. Create one with: ${create}`);
  });

  test("that anybody may ask, when the gateway listens on 0.0.0.0 and asks for no key", async () => {
    const cluster = await startFakeCluster({}, { host: "0.0.0.0" });
    await cluster.ready;
    expect(notes(cluster).filter((note) => note.startsWith("All who reach this machine"))).toHaveLength(1);
  });

  test("that its tokens mean nothing, when it is simulated", async () => {
    const cluster = await startFakeCluster({}, { simulate: "null" });
    await cluster.ready;
    expect(notes(cluster)).toContain(
      "Simulated: no weights are loaded, nothing is computed, and the tokens are meaningless.",
    );
  });

  test("how to get a real model alone, when it serves the demonstration model to this machine", async () => {
    const cluster = await startFakeCluster();
    await cluster.ready;
    expect(notes(cluster)).toEqual([expect.stringMatching(MEMORY), expect.stringMatching(/^For Mistral 7B: /)]);
  });
});

describe("a cluster of several pipelines", () => {
  const MODEL = fileURLToPath(new URL("../../../test/fixtures/oracle/mistral-8l-full/model-f32.gguf", import.meta.url));

  test("has a coordinator and workers for each, and says which is which", async () => {
    const cluster = await startFakeCluster({}, { moreModels: [MODEL], workers: 1 });
    await cluster.ready;
    const record = await readClusterRecord(cluster.dataDir);
    expect(record?.model).toBe("breeze");
    expect(record?.services.map(({ name }) => name).sort()).toEqual([
      ...["coordinator-1", "coordinator-2", "gateway", "redis", "worker-1", "worker-2"],
    ]);
    const done = cluster.events.flatMap((event) => (event.kind === "phase" && event.done ? [event] : []));
    expect(done.filter(({ phase }) => phase === "model")).toHaveLength(2);
    expect(done.filter(({ phase }) => phase === "workers").map(({ text }) => text)).toEqual(
      expect.arrayContaining(["breeze: 1 of 1 joined", "model-f32: 1 of 1 joined"]),
    );
    expect(done.at(-1)).toMatchObject({ phase: "gateway", text: "sees all 2 pipelines" });
  });

  test("has replicas of a model", async () => {
    const cluster = await startFakeCluster({}, { replicas: 2, workers: 1 });
    await cluster.ready;
    const texts = cluster.events.flatMap((event) => (event.kind === "phase" && event.done ? [event.text] : []));
    expect(texts[0]).toMatch(/^Breeze, .*, 2 replicas$/);
    expect(texts).toContain("breeze (2 of 2): 1 of 1 joined");
    cluster.stop.abort();
    await cluster.over;
    expect((await cluster.journal()).filter((line) => line === "stopped coordinator")).toHaveLength(2);
  });
});

test("a cluster says how many workers it chose for a model that is no demonstration, and why", async () => {
  const path = "../../../test/fixtures/oracle/mistral-8l-full/model-f32.gguf";
  const cluster = await startFakeCluster({}, { model: fileURLToPath(new URL(path, import.meta.url)), threads: 1 });
  await cluster.ready;
  const notes = cluster.events.flatMap((event) => (event.kind === "note" ? [event.text] : []));
  expect(notes).toEqual([
    expect.stringMatching(/^\d workers? x 1 thread: predicted fastest on \d+ cores?/),
    expect.stringMatching(MEMORY),
  ]);
  expect((await readClusterRecord(cluster.dataDir))?.services.map(({ name }) => name)).toContain("worker-1");
});

describe("a cluster that can't come up", () => {
  test.each(["redisHost", "coordinator", "shardWorker", "gateway"] as const)("%s says why", async (role) => {
    const cluster = await startFakeCluster({ fatal: role });
    await expect(cluster.over).rejects.toMatchObject({
      code: "DEVICE_NOT_FOUND",
      message: expect.stringContaining('No device is called "CUDA9".'),
    });
    expect(existsSync(cluster.dataDir.clusterFile)).toBe(false);
    expect(JSON.parse(await readFile(cluster.dataDir.failureFile, "utf8"))).toMatchObject({ code: "DEVICE_NOT_FOUND" });
  });

  test("a pipeline that stays failed is the cluster's failure", async () => {
    const cluster = await startFakeCluster({ states: ["waiting_for_workers", "failed"] });
    await expect(cluster.over).rejects.toMatchObject({
      code: "NOT_ENOUGH_MEMORY",
      message: "9 GB are needed, 8 GB are free.",
    });
  });

  test("a port that somebody else holds", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const cluster = await startFakeCluster({}, { port });
    await expect(cluster.over).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: expect.stringContaining(`${port}`),
    });
    expect(await cluster.journal()).toEqual([""]);
  });

  test("a data directory in which another one runs, which goes on", async () => {
    const first = await startFakeCluster();
    await first.ready;
    const second = await startFakeCluster({}, { dataDir: first.dataDir.root });
    await expect(second.over).rejects.toMatchObject({
      code: "ALREADY_RUNNING",
      message: expect.stringMatching(/already serving breeze at http:.*\(process \d+\).*rhone down/),
    });
    expect(await readClusterRecord(first.dataDir)).toMatchObject({ state: "ready" });
  });

  test("more workers than layers", async () => {
    const cluster = await startFakeCluster({}, { workers: 33 });
    await expect(cluster.over).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(/33 workers.*32 layers/),
    });
  });

  test("bad settings of its services, before any of them starts", async () => {
    vi.stubEnv("RHONE_PAGE_SIZE", "many");
    vi.stubEnv("RHONE_GRAMMAR_MASK_MS", "0");
    vi.stubEnv("RHONE_LOG_LEVEL", "loud");
    vi.stubEnv("RHONE_MAX_QUEUED", "-1");
    const cluster = await startFakeCluster({}, { s3Endpoint: "minio:9000", context: 1_000_000 });
    const { code, message } = await cluster.over.then(Object, (error) => error);
    expect(code).toBe("INVALID_CONFIG");
    expect(message.split("\n")).toEqual([
      "Bad settings:",
      expect.stringMatching(/^ {2}RHONE_PAGE_SIZE=many is not a number\./),
      expect.stringMatching(/^ {2}RHONE_LOG_LEVEL=loud is not one of debug,/),
      expect.stringMatching(/^ {2}--context or RHONE_CONTEXT is 1000000, more than the \d+ of breeze\./),
      expect.stringMatching(/^ {2}RHONE_GRAMMAR_MASK_MS=0 is less than 1\./),
      expect.stringMatching(/^ {2}RHONE_MAX_QUEUED=-1 is less than 1\./),
      expect.stringMatching(/^ {2}--s3-endpoint minio:9000 must be an http:\/\/ or https:\/\/ URL\./),
    ]);
    expect(await cluster.journal()).toEqual([""]);
    expect(existsSync(cluster.dataDir.clusterFile)).toBe(false);
  });

  test("a device that this machine lacks, before any process starts, unless nothing is computed", async () => {
    const cluster = await startFakeCluster({}, { device: "CUDA9" });
    await expect(cluster.over).rejects.toMatchObject({
      code: "DEVICE_NOT_FOUND",
      message: expect.stringMatching(/^There is no device "CUDA9"; this machine has .*CPU/),
    });
    expect(await cluster.journal()).toEqual([""]);
    expect(existsSync(cluster.dataDir.clusterFile)).toBe(false);
    await (await startFakeCluster({}, { device: "CUDA9", simulate: "null" })).ready;
  });

  test("one that is stopped before it is ready leaves nothing", async () => {
    const cluster = await startFakeCluster({ states: ["waiting_for_workers"] });
    while (!(await cluster.journal()).includes("started shardWorker")) await sleep(20);
    cluster.stop.abort();
    await expect(cluster.over).rejects.toMatchObject({ code: "CANCELLED" });
    expect(existsSync(cluster.dataDir.clusterFile)).toBe(false);
  });
});
