import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { HANGABLE, hang } from "../cluster/hang.js";
import { pidsOf } from "../cluster/processes.js";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const STREAMS = 8;
const PATIENCE = { timeout: 30_000, interval: 50 };
const TIMEOUT = { timeout: 90_000 };
const hasRedisServer = spawnSync("redis-server", ["--version"]).status === 0;

let cluster: RunningCluster;
/** The streams' tokens when nothing disturbs them: simulated ones, by a rule. */
let undisturbed: readonly (readonly number[])[];

beforeAll(async () => {
  const flags = ["--workers", "2", "--simulate", "stage-ms=10"];
  // Its successor shall not have to wait for the locks of the coordinator's requests.
  cluster = await RunningCluster.start(flags, { env: { ...HANGABLE, RHONE_JOB_LOCK: "600" } });
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

const logFile = (name: string) => join(cluster.dataDir, "logs", `${name}.log`);
const supervisorLog = () => readFileSync(logFile("supervisor"), "utf8");

test.each(["worker-1", "worker-2", "coordinator", "gateway", "redis"])(
  "%s, stopped, is woken; no stream breaks",
  TIMEOUT,
  async (name) => {
    const pid = pidsOf(cluster)[name] ?? 0;
    const streams = await startedStreams();
    stop(pid);
    expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
    await expect.poll(() => isStopped(pid), PATIENCE).toBe(false);
    expect(pidsOf(cluster)[name]).toBe(pid);
    expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
  },
);

test.skipIf(!hasRedisServer)("a redis-server, stopped, is woken", TIMEOUT, async () => {
  const record = readFileSync(join(cluster.dataDir, "run", "redis-server.json"), "utf8");
  const { pid } = JSON.parse(record) as { pid: number };
  const streams = await startedStreams();
  stop(pid);
  expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
  expect(isStopped(pid)).toBe(false);
  expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
});

test.each(["worker-2", "coordinator", "gateway"])(
  "%s, whose event loop does not turn, is killed and replaced; no stream is lost",
  TIMEOUT,
  async (name) => {
    const pid = pidsOf(cluster)[name] ?? 0;
    const streams = await startedStreams();
    await hang(pid, logFile(name));
    const hungAt = performance.now();
    await expect.poll(() => pidsOf(cluster)[name] ?? pid, PATIENCE).not.toBe(pid);
    expect(performance.now() - hungAt).toBeGreaterThan(3500); // less would be no hang, but a slow turn
    expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    expect(supervisorLog()).toMatch(/(signal SIGKILL|It was killed)/);
    expect(streams.every(({ breaks }) => breaks > 0)).toBe(name === "gateway");
  },
);

test("a supervisor, stopped, is woken, and replaces a gateway that died meanwhile", TIMEOUT, async () => {
  const { supervisor = 0, gateway = 0 } = pidsOf(cluster);
  const streams = await startedStreams();
  stop(supervisor);
  process.kill(gateway, "SIGKILL");
  expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
  expect([isStopped(supervisor), pidsOf(cluster).gateway === gateway]).toEqual([false, false]);
});

test("`rhone status` says that the supervisor hangs", TIMEOUT, async () => {
  const pid = pidsOf(cluster).supervisor ?? 0;
  const status = () => rhone(["status", "--data-dir", cluster.dataDir]);
  expect(await status()).toMatchObject({ code: 0, stderr: "" });
  onTestFinished(() => void process.kill(pid, "SIGKILL")); // its services end with it
  await hang(pid, logFile("supervisor"));
  const { code, stdout, stderr } = await status();
  expect([code, stdout.includes(cluster.url)]).toEqual([1, true]);
  expect(stderr).toContain(`The supervisor (process ${pid}) does not answer`);
});

const isStopped = (pid: number): boolean => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {} // it is gone
}
