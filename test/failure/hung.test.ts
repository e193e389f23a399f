import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const STREAMS = 8;
const HUNG_AFTER_S = Number(process.env.RHONE_HUNG_AFTER ?? 3); // 10 by default, which would make a slow test
const PATIENCE = { timeout: 30_000, interval: 50 };
const TIMEOUT = { timeout: 90_000 };
const hasRedisServer = spawnSync("redis-server", ["--version"]).status === 0;

let cluster: RunningCluster;
/** The streams' tokens when nothing disturbs them: simulated ones, by a rule. */
let undisturbed: readonly (readonly number[])[];

beforeAll(async () => {
  const flags = ["--workers", "2", "--simulate", "stage-ms=10"];
  // Its successor shall not have to wait for the locks of the coordinator's requests.
  const env = { RHONE_HUNG_AFTER: String(HUNG_AFTER_S), RHONE_JOB_LOCK: "600" };
  cluster = await RunningCluster.start(flags, { env });
  undisturbed = await Promise.all(startStreams().map(({ done }) => done));
});
afterAll(async () => {
  await cluster?.stop();
});

const startStreams = (): readonly ResumingStream[] =>
  Array.from({ length: STREAMS }, (_, index) => {
    const prompt = `Stream ${index}`;
    return new ResumingStream(cluster, { prompt, max_tokens: 120, ignore_eos: true, temperature: 0 }, 80_000);
  });

async function startedStreams(): Promise<readonly ResumingStream[]> {
  const streams = startStreams();
  await expect.poll(() => Math.min(...streams.map(({ ids }) => ids.length)), PATIENCE).toBeGreaterThan(10);
  return streams;
}

/** By SIGSTOP. */
function stop(pid: number): void {
  process.kill(pid, "SIGSTOP");
  onTestFinished(() => wake(pid)); // a stopped process outlives a failed test
}

const supervisorLog = () => readFileSync(join(cluster.dataDir, "logs", "supervisor.log"), "utf8");

/** Stops `name` by SIGSTOP in the middle of the streams, which must all be whole and as they would have been. */
async function stopInTheMiddle(
  name: string,
): Promise<{ readonly pid: number; readonly streams: readonly ResumingStream[] }> {
  const pid = pidsOf(cluster)[name] ?? 0;
  const streams = await startedStreams();
  stop(pid);
  const stoppedAt = performance.now();
  if (name !== "redis") {
    await expect.poll(() => pidsOf(cluster)[name] ?? pid, PATIENCE).not.toBe(pid);
    expect(performance.now() - stoppedAt).toBeLessThan((HUNG_AFTER_S + 5) * 1000);
  }
  expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
  return { pid, streams };
}

test.each([
  ["worker-2", "Worker 2"],
  ["coordinator", "The coordinator"],
  ["gateway", "The gateway"],
])("%s, stopped, is killed and replaced; no stream is lost", TIMEOUT, async (name, title) => {
  const { pid, streams } = await stopInTheMiddle(name);
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  expect(supervisorLog()).toContain(`${title} hung: its event loop did not turn for ${HUNG_AFTER_S} s. It was killed.`);
  expect(streams.every(({ breaks }) => breaks > 0)).toBe(name === "gateway");
});

test.skipIf(hasRedisServer)(
  "a Redis in memory, stopped, is woken: nothing that it holds is lost",
  TIMEOUT,
  async () => {
    const { pid, streams } = await stopInTheMiddle("redis");
    expect(pidsOf(cluster).redis).toBe(pid);
    expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
  },
);

test.skipIf(!hasRedisServer)(
  "a redis-server, stopped, is killed; its file has all that it acknowledged",
  TIMEOUT,
  async () => {
    const record = readFileSync(join(cluster.dataDir, "run", "redis-server.json"), "utf8");
    const { pid } = JSON.parse(record) as { pid: number };
    const host = pidsOf(cluster).redis ?? 0;
    const streams = await startedStreams();
    stop(pid);
    await expect.poll(() => pidsOf(cluster).redis ?? host, PATIENCE).not.toBe(host);
    expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
    expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
    expect(supervisorLog()).toContain(`hung: it answered no ping for ${HUNG_AFTER_S} s. Restarting it.`);
  },
);

test("`rhone status` says that the supervisor is stopped", TIMEOUT, async () => {
  const pid = pidsOf(cluster).supervisor ?? 0;
  const status = () => rhone(["status", "--data-dir", cluster.dataDir]);
  expect(await status()).toMatchObject({ code: 0, stderr: "" });
  stop(pid);
  const { code, stdout, stderr } = await status();
  expect([code, stdout.includes(cluster.url)]).toEqual([1, true]);
  expect(stderr).toContain(`The supervisor (process ${pid}) does not answer`);
});

function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {} // it is gone, as it should be
}
