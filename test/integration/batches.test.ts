import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

let cluster: RunningCluster;
beforeAll(async () => {
  // Nothing shall wait for a lock.
  cluster = await RunningCluster.start(["--workers", "2"], { env: { RHONE_JOB_LOCK: "600" } });
});
afterAll(async () => {
  await cluster?.stop();
});

/** A tenth of them is refused. */
const LINES = 80;
/** Enough to be cancelled in the middle, though the command that does so takes seconds to start. */
const MANY_LINES = 1000;
const isBad = (index: number): boolean => index % 10 === 3;
const customIds = Array.from({ length: LINES }, (_, index) => `line-${index}`).sort();

/** Chats with Breeze; every tenth has a temperature that is refused. */
function inputFile(length: number): { readonly path: string; readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "rhone-system-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const lines = Array.from({ length }, (_, index) => {
    const messages = [{ role: "user", content: `What is the capital of France? ${index}` }];
    const body = { messages, max_tokens: 24, ignore_eos: true, temperature: isBad(index) ? -1 : 0 };
    return JSON.stringify({ custom_id: `line-${index}`, method: "POST", url: "/v1/chat/completions", body });
  });
  const path = join(folder, "input.jsonl");
  writeFileSync(path, `${lines.join("\n")}\n`);
  return { path, folder };
}

interface BatchObject {
  readonly id: string;
  readonly status: string;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
}

const LINES_FAILED = 4;

/** Runs `rhone batch`; its exit code has to be `ends`. */
async function batch(args: readonly string[], ends = 0): Promise<BatchObject> {
  const { code, stdout, stderr } = await rhone(["batch", ...args, "--json", "--data-dir", cluster.dataDir]);
  expect(code, stderr).toBe(ends);
  return JSON.parse(stdout) as BatchObject;
}

async function download(id: string, folder: string, ...flags: readonly string[]): Promise<{ custom_id: string }[]> {
  const out = join(folder, `results${flags.length}`);
  const result = await rhone(["batch", "download", id, "-o", out, ...flags, "--data-dir", cluster.dataDir]);
  expect(result.code, result.stderr).toBe(0);
  const lines = readFileSync(out, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as { custom_id: string });
}

/** kill -9; the supervisor starts it again. */
function kill(name: string): void {
  const pid = pidsOf(cluster)[name];
  if (pid === undefined) throw new Error(`no ${name} runs`);
  process.kill(pid, "SIGKILL");
}

/** How many lines have a result; undefined while no gateway answers. */
async function answered(id: string): Promise<number | undefined> {
  const response = await fetch(`${cluster.url}/v1/batches/${id}`).catch(() => undefined);
  if (response?.ok !== true) return undefined;
  const { completed, failed } = ((await response.json()) as BatchObject).request_counts;
  return completed + failed;
}

test("kill -9 of gateway and coordinator in the middle: every line is answered, and none twice", async () => {
  const { path, folder } = inputFile(LINES);
  const { id } = await batch(["submit", path]);
  const patience = { timeout: 60_000, interval: 50 };
  await expect.poll(() => answered(id), patience).toBeGreaterThan(15);
  kill("gateway");
  const seen = expect.poll(() => answered(id), patience);
  await seen.toBeGreaterThan(30);
  kill("coordinator");
  const done = await batch(["wait", id], LINES_FAILED);
  const bad = customIds.filter((_, index) => isBad(index)).length;
  expect(done).toMatchObject({
    status: "completed",
    request_counts: { total: LINES, completed: LINES - bad, failed: bad },
  });
  const output = await download(id, folder);
  const errors = await download(id, folder, "--errors");
  expect([...output, ...errors].map(({ custom_id }) => custom_id).sort()).toEqual(customIds);
  expect(errors.every(({ custom_id }) => isBad(Number(custom_id.slice("line-".length))))).toBe(true);
});

test("a cancelled batch keeps what it has, and is over soon", async () => {
  const { path } = inputFile(MANY_LINES);
  const { id } = await batch(["submit", path]);
  await expect.poll(() => answered(id), { timeout: 60_000, interval: 50 }).toBeGreaterThan(0);
  expect(await batch(["cancel", id])).toMatchObject({ status: expect.stringMatching(/^cancel/) });
  const status = async () => ((await (await fetch(`${cluster.url}/v1/batches/${id}`)).json()) as BatchObject).status;
  await expect.poll(status, { timeout: 60_000, interval: 50 }).toBe("cancelled");
  const { total, completed, failed } = (await batch(["status", id])).request_counts;
  expect([total, completed + failed]).toEqual([MANY_LINES, MANY_LINES]);
});

test("Mistral's jobs are the same batches, with requests in the job", async () => {
  const requests = ["a", "b", "c"].map((custom_id) => ({ custom_id, body: { prompt: "The", max_tokens: 4 } }));
  const order = { requests, endpoint: "/v1/completions", model: "breeze" };
  const { id } = await cluster.ask<BatchObject>("/v1/batch/jobs", order);
  const job = async () =>
    (await (await fetch(`${cluster.url}/v1/batch/jobs/${id}?inline=true`)).json()) as {
      status: string;
      succeeded_requests: number;
      outputs: { custom_id: string }[];
    };
  await expect.poll(async () => (await job()).status, { timeout: 60_000 }).toBe("SUCCESS");
  const { succeeded_requests, outputs } = await job();
  expect([succeeded_requests, outputs.map(({ custom_id }) => custom_id).sort()]).toEqual([3, ["a", "b", "c"]]);
});
