import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { type SpawnedService, spawnService } from "../cluster/spawn-service.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";
import { readOracle } from "../parity/oracle.js";

/** f32 weights and pages: tokens do not depend on how the work is divided among steps. */
const oracle = readOracle("mistral-8l-full");
const PATIENCE = { timeout: 30_000, interval: 20 };
const WORKERS = 3;
/** Without one, Redis is in memory, and all is lost with it. */
const hasRedisServer = spawnSync("redis-server", ["--version"]).status === 0;
const BATCH_LINES = 16;

let cluster: RunningCluster;
/** Beside the two workers of the supervisor. */
let third: SpawnedService;
/** The tokens of each body when nothing disturbs them. */
let undisturbed: readonly (readonly number[])[];

const fields = { max_tokens: 40, ignore_eos: true, cache_prompt: false };
const BODIES = oracle.cases.slice(0, 4).flatMap(({ tokens: prompt }, index) => [
  { ...fields, prompt, temperature: 0 },
  { ...fields, prompt, temperature: 0.9, seed: index },
]);

beforeAll(async () => {
  // All three become stages: when one leaves, the others get layers that they don't hold.
  const options = { env: { RHONE_GROW: "true" } };
  cluster = await RunningCluster.start(["--model", oracle.path, "--workers", "2", "--kv-type", "f32"], options);
  const { address = "" } = await cluster.status();
  const env = { RHONE_CLUSTER_SECRET_FILE: join(cluster.dataDir, "cluster-secret"), RHONE_THREADS: "1" };
  third = await spawnService("shard-worker", ["--coordinator", address], { env });
  undisturbed = await Promise.all(BODIES.map((body) => new ResumingStream(cluster, body, 30_000).done));
});
afterAll(async () => {
  await third?.stop("SIGKILL");
  await cluster?.stop();
});

/** Both stages are served, and all have joined. */
const allReady = () =>
  expect
    .poll(async () => {
      const status = await cluster.status().catch(() => null);
      const ready = await fetch(`${cluster.url}/ready`).catch(() => null);
      return [status?.state, status?.workers.length, ready?.status];
    }, PATIENCE)
    .toEqual(["ready", WORKERS, 200]);

async function restart(name: string): Promise<void> {
  const before = pidsOf(cluster);
  const { code, stdout, stderr } = await rhone(["restart", name, "--json", "--data-dir", cluster.dataDir]);
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ restarted: [{ name, ms: expect.any(Number) }] });
  // Nothing else ended with it.
  expect({ ...pidsOf(cluster), [name]: 0 }).toEqual({ ...before, [name]: 0 });
  expect(pidsOf(cluster)[name]).not.toBe(before[name]);
  await allReady();
}

/** Asks for one completion after another, as often as the processes are restarted. */
class Client {
  /** Its streams so far. */
  readonly streams: ResumingStream[] = [];
  longestGapMs = 0;
  readonly #index: number;

  constructor(index: number) {
    this.#index = index;
  }

  async askUntil(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const stream = new ResumingStream(cluster, BODIES[this.#index] ?? {}, 40_000);
      try {
        expect(await stream.done).toEqual(undisturbed[this.#index]);
        this.streams.push(stream);
        this.longestGapMs = Math.max(this.longestGapMs, stream.longestGapMs);
      } catch (error) {
        // A connection may be closed under a request: clients try again. None is refused.
        const { code } = ((error as Error).cause ?? {}) as { readonly code?: string };
        if (!(error instanceof TypeError) || code === "ECONNREFUSED") throw error;
        await sleep(20);
      }
    }
  }
}

interface Batch {
  readonly id: string;
  readonly status: string;
  readonly output_file_id: string;
}

interface ResultLine {
  readonly custom_id: string;
  readonly response: { readonly body: { readonly choices: readonly { readonly token_ids: readonly number[] }[] } };
}

const idOf = (index: number): string => `line-${index}`;

async function submitBatch(): Promise<Batch> {
  const lines = Array.from({ length: BATCH_LINES }, (_, index) => {
    const body = { ...BODIES[index % BODIES.length], return_token_ids: true };
    return JSON.stringify({ custom_id: idOf(index), method: "POST", url: "/v1/completions", body });
  });
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new File([`${lines.join("\n")}\n`], "input.jsonl"));
  const uploaded = await fetch(`${cluster.url}/v1/files`, { method: "POST", body: form });
  const { id } = (await uploaded.json()) as { readonly id: string };
  const asked = { input_file_id: id, endpoint: "/v1/completions", completion_window: "24h" };
  return cluster.ask<Batch>("/v1/batches", asked);
}

async function resultsOf({ id }: Batch): Promise<readonly ResultLine[]> {
  const read = async () => (await (await fetch(`${cluster.url}/v1/batches/${id}`)).json()) as Batch;
  await expect.poll(async () => (await read()).status, PATIENCE).toBe("completed");
  const text = await (await fetch(`${cluster.url}/v1/files/${(await read()).output_file_id}/content`)).text();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as ResultLine);
}

test("each process is restarted in turn beside 8 streams and a batch: no error, and not a token differs", {
  timeout: 300_000,
}, async () => {
  await allReady();
  const clients = BODIES.map((_, index) => new Client(index));
  const over = new AbortController();
  const batch = await submitBatch();
  const asking = Promise.all(clients.map((client) => client.askUntil(over.signal)));
  asking.catch(() => {}); // it is awaited below
  for (const name of ["worker-1", "worker-2", "coordinator", ...(hasRedisServer ? ["redis"] : []), "gateway"]) {
    const before = clients.map(({ streams }) => streams.length);
    await restart(name);
    await expect
      .poll(() => clients.every(({ streams }, index) => streams.length > (before[index] ?? 0)), PATIENCE)
      .toBe(true);
  }
  over.abort();
  await asking;
  const streams = clients.flatMap((client) => client.streams);
  expect(streams.filter(({ breaks }) => breaks > 0)).toEqual([]);
  const results = await resultsOf(batch);
  expect(results.map(({ custom_id: id }) => id).toSorted()).toEqual(
    Array.from({ length: BATCH_LINES }, (_, index) => idOf(index)).toSorted(),
  );
  for (const { custom_id: id, response } of results) {
    const index = Number(id.slice("line-".length)) % BODIES.length;
    expect(response.body.choices[0]?.token_ids, id).toEqual(undisturbed[index]);
  }
});

test("a gateway that still finishes what it has begun is left to it when the gateway is restarted again", {
  timeout: 120_000,
}, async () => {
  await allReady();
  const body = JSON.stringify({ ...BODIES[0], max_tokens: 4 });
  const headers = { "content-type": "application/json", "content-length": body.length };
  const asked = request(`${cluster.url}/v1/completions`, { method: "POST", headers, agent: false });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    asked.on("response", ({ statusCode }) => resolve(statusCode)).on("error", reject);
  });
  answered.catch(() => {}); // it is awaited below
  const [connected] = (await once(asked, "socket")) as [Socket];
  if (connected.connecting) await once(connected, "connect");
  asked.write(body.slice(0, 10));
  await look(); // the gateway has accepted the connections before this one
  const first = pidsOf(cluster).gateway ?? 0;
  for (let times = 0; times < 2; times++) {
    const { code, stderr } = await rhone(["restart", "gateway", "--data-dir", cluster.dataDir]);
    expect(code, stderr).toBe(0);
  }
  expect(cluster.record().services).toContainEqual(expect.objectContaining({ pid: first, isEnding: true }));
  asked.end(body.slice(10));
  expect(await answered).toBe(200);
});

/** The status of an answer on a new connection; the code of the error where there is none. */
function look(): Promise<number | string> {
  return new Promise((resolve) => {
    const asked = request(`${cluster.url}/health`, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message)).end();
  });
}

test("no connection is refused while a gateway that was killed is started again", { timeout: 120_000 }, async () => {
  await allReady();
  const before = pidsOf(cluster).gateway ?? 0;
  const answers: Promise<number | string>[] = [];
  const looking = setInterval(() => answers.push(look()), 10);
  onTestFinished(() => clearInterval(looking));
  await expect.poll(() => answers.length).toBeGreaterThan(10);
  process.kill(before, "SIGKILL");
  const atDeath = answers.length;
  await expect.poll(() => pidsOf(cluster).gateway ?? before, PATIENCE).not.toBe(before);
  await allReady();
  clearInterval(looking);
  const seen = await Promise.all(answers);
  expect(seen.length).toBeGreaterThan(atDeath);
  expect(seen).not.toContain("ECONNREFUSED");
  expect(seen.at(-1)).toBe(200);
});
