import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClusterStatus } from "@rhone/common";
import { openGguf, readModelConfig, tensorsOfShard } from "@rhone/model";
import { expect, onTestFinished, test } from "vitest";
import { startValkey } from "../../packages/common/src/testing/valkey.js";
import { readMetric } from "../cluster/metrics.js";
import { spawnService } from "../cluster/spawn-service.js";
import { statusAt } from "../cluster/start-cluster.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
/** Another file for each process: the one in its working directory. */
const OWN_MODEL = "/proc/self/cwd/m.gguf";
const PATIENCE = { timeout: 60_000, interval: 50 };
/** A busy machine stalls a read, which is made again: 40 KB came twice beside 25 other processes. */
const MOST_SHARE = 1.1;

interface Expected {
  readonly answers: readonly { readonly question: string; readonly answer: string }[];
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "rhone-weights-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function start(...[service, flags, options]: Parameters<typeof spawnService>) {
  const spawned = await spawnService(service, flags, options);
  onTestFinished(() => spawned.stop("SIGKILL"));
  return spawned;
}

/** The bytes of the tensors of layers [first, last), of several such ranges, and of what is around them. */
async function bytesOf(...ranges: readonly (readonly [first: number, last: number])[]): Promise<number> {
  const file = await openGguf(BREEZE);
  const config = readModelConfig(file);
  const shards = ranges.map(([first, last]) => ({ first, last, embeds: first === 0, heads: last === config.nLayers }));
  const tensors = new Map(
    shards.flatMap((shard) => tensorsOfShard(config, file, shard).map(({ info }) => [info.name, info.bytes])),
  );
  return [...tensors.values()].reduce((sum, bytes) => sum + bytes, 0);
}

interface Loading {
  readonly stages: readonly { readonly worker: string; readonly first: number; readonly last: number }[];
}

/** The layers that a worker was given, by the coordinator's log: they are cut again once they are timed. */
function rangesOf(worker: string, log: readonly string[]): readonly (readonly [number, number])[] {
  const loads = log.filter((line) => line.includes("loading shards")).map((line) => JSON.parse(line) as Loading);
  const stages = loads.flatMap((load) => load.stages).filter((stage) => stage.worker === worker);
  return stages.map(({ first, last }) => [first, last]);
}

test("machines without the model's file get what they need of it, and keep it", async (context) => {
  if (!existsSync("/proc/self/cwd")) context.skip("there is no /proc");
  const valkey = await startValkey();
  onTestFinished(() => valkey.stop());
  const home = await folder();
  await copyFile(BREEZE, join(home, "m.gguf"));
  const secret = { RHONE_CLUSTER_SECRET_FILE: join(home, "cluster-secret") };
  await writeFile(secret.RHONE_CLUSTER_SECRET_FILE, randomBytes(32).toString("hex"), { mode: 0o600 });
  const env = { ...secret, REDIS_URL: valkey.url, RHONE_WEIGHTS_DIR: join(home, "weights") };
  const any = ["--port", "0", "--ops-port", "0"];
  const coordinator = await start("coordinator", [...any, "--model-path", OWN_MODEL, "--workers", "2"], {
    env,
    cwd: home,
  });
  const { grpc = "", ops = "" } = coordinator.addresses;
  const status = (): Promise<ClusterStatus> => statusAt(ops, home);
  const ready = (at = ops) => expect.poll(async () => (await statusAt(at, home)).state, PATIENCE).toBe("ready");
  const joinFrom = async (weightsDir: string, to = grpc) =>
    start("shard-worker", [...any, "--coordinator", to, "--threads", "1", "--memory", "500000000"], {
      env: { ...secret, RHONE_WEIGHTS_DIR: weightsDir },
      cwd: weightsDir,
    });
  const folders = [await folder(), await folder()] as const;
  await joinFrom(folders[0]);
  const second = await joinFrom(folders[1]);
  await ready();

  const header = (await openGguf(BREEZE)).parts[0]?.headerBytes ?? 0;
  const fetched = (operations: string) => readMetric(operations, "rhone_worker_weights_fetched_bytes_total");
  for (const { worker, layers, operations } of (await status()).workers) {
    const bytes = await fetched(operations);
    expect(bytes).toBeGreaterThanOrEqual(header + (await bytesOf(layers ?? [0, 0])));
    // All layers that it was given, also those that others took before they were here.
    expect(bytes).toBeLessThan(MOST_SHARE * (header + (await bytesOf(...rangesOf(worker, coordinator.log)))));
  }
  const fetchedBySecond = await fetched(second.addresses.ops ?? "");

  const flags = ["--port", "0", "--weights-from", grpc, "--storage", home];
  const gateway = await start("gateway", flags, { env: { ...env, RHONE_WEIGHTS_DIR: await folder() } });
  const fixture = new URL("../fixtures/breeze/expected.json", import.meta.url);
  const [expected] = (JSON.parse(await readFile(fixture, "utf8")) as Expected).answers;
  const response = await fetch(`http://${gateway.addresses.http}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: expected?.question }], temperature: 0 }),
  });
  expect(await response.json()).toMatchObject({ choices: [{ message: { content: expected?.answer } }] });

  await second.stop("SIGKILL");
  await expect.poll(async () => (await status()).workers.length, PATIENCE).toBe(1);
  const third = await joinFrom(folders[1]);
  await ready();
  // Nothing where it is given the same layers.
  expect(await fetched(third.addresses.ops ?? "")).toBeLessThan(fetchedBySecond / 2);

  const apart = await folder();
  const beside = await start("coordinator", [...any, "--model-path", OWN_MODEL, "--weights-from", grpc], {
    env: { ...env, RHONE_WEIGHTS_DIR: apart },
    cwd: apart,
  });
  const alone = await joinFrom(await folder(), beside.addresses.grpc);
  await ready(beside.addresses.ops);
  const whole = header + (await bytesOf([0, 32]));
  expect(await fetched(alone.addresses.ops ?? "")).toBeGreaterThanOrEqual(whole);
  expect(await fetched(alone.addresses.ops ?? "")).toBeLessThan(whole * MOST_SHARE);
});
