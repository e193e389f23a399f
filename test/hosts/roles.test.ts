import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Host, Network } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";
import { ListeningCluster } from "./listening-cluster.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";

const SIMULATE = ["--simulate", "stage-ms=5"];
const PATIENCE = { timeout: 30_000, interval: 200 };
const TIMEOUT = { timeout: 120_000 };
const PROMPT = { prompt: "The sea", max_tokens: 20, ignore_eos: true, temperature: 0, return_token_ids: true };

interface Completion {
  readonly choices: readonly { readonly token_ids: readonly number[] }[];
}

interface Status {
  readonly coordinators: readonly {
    readonly state: string;
    readonly address: string;
    readonly workers: readonly { readonly worker: string }[];
  }[];
}

skipWithoutHosts();
let network: Network<"a" | "b" | "c">;
let first: RunningCluster;

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "b", "c"]);
  first = (await ListeningCluster.start(network.hosts.a, SIMULATE)).cluster;
});
afterAll(() => network?.close());

const clusterAt = ({ address, folder }: Host) =>
  new RunningCluster({ url: `http://${address}:8080`, dataDir: join(folder, ".rhone") });

/** Longer than any answer takes; a request that hangs fails. */
const ANSWERED_MS = 60_000;
const within = (): AbortSignal => AbortSignal.timeout(ANSWERED_MS);

async function answerOf(cluster: RunningCluster): Promise<readonly number[]> {
  const response = await cluster.post("/v1/completions", PROMPT, within());
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return ((await response.json()) as Completion).choices[0]?.token_ids ?? [];
}

/** A stream whose first event has come. `rest`: its text to the end, and the name of the error that ended it. */
async function opened(cluster: RunningCluster, more: object = {}) {
  const request = { ...PROMPT, max_tokens: 2000, stream: true, ...more };
  const { body } = await cluster.post("/v1/completions", request, within());
  const reader = (body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? "";
  const rest = async (): Promise<string> => {
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
      return text;
    } catch (error) {
      return `${text}${(error as Error).name}`;
    }
  };
  return { rest: rest() }; // read at once: a deadline would take what has come and was not read
}

async function joinAs(on: Host, as: string, ...flags: readonly string[]) {
  const { a } = network.hosts;
  const { stdout } = await rhone(["token", "create", "--json", "--as", as], { on: a });
  const { token, door } = JSON.parse(stdout) as { readonly token: string; readonly door: string };
  return rhone(["join", door, token, "--as", as, "--detach", ...flags], { on });
}

/** As the gateway of a machine sees it. */
async function statusOf({ address, folder }: Host): Promise<Status["coordinators"]> {
  const secret = readFileSync(join(folder, ".rhone", "cluster-secret"), "utf8").trim();
  const response = await fetch(`http://${address}:8080/status`, { headers: { "x-rhone-secret": secret } });
  return ((await response.json()) as Status).coordinators;
}

test("a machine becomes a gateway, which answers as the first one does", TIMEOUT, async () => {
  const { a, b } = network.hosts;
  const alone = await answerOf(first);
  const joined = await joinAs(b, "gateway", "--host", b.address, "--auth", "off", "--name", "front");
  expect(joined).toMatchObject({ code: 0, stderr: "" });
  expect(joined.stdout).toMatch(new RegExp(`✓ Redis +${a.address}:7101 answers\n`));
  expect(joined.stdout).toMatch(new RegExp(`joined: front serves breeze at http://${b.address}:8080\n$`));
  expect(await answerOf(clusterAt(b))).toEqual(alone);
  const told = async () => (await rhone(["status"], { on: b })).stdout;
  await expect.poll(told, PATIENCE).toMatch(/^member +front, a gateway of the cluster at [\s\S]*breeze/);
});

test("a machine becomes a coordinator, and a worker that joins goes to it", TIMEOUT, async () => {
  const { b, c } = network.hosts;
  const joined = await joinAs(c, "coordinator", "--name", "second");
  expect(joined).toMatchObject({ code: 0, stderr: "" });
  expect(joined.stdout).toMatch(/joined: second at \S+:7110: breeze, without workers\. They join by: rhone join /);
  const flags = ["--name", "w", "--data-dir", join(b.folder, "worker"), ...SIMULATE];
  expect(await joinAs(b, "worker", ...flags)).toMatchObject({ code: 0, stderr: "" });
  const pipelines = async () =>
    (await statusOf(b)).map(({ state, address, workers }) => [address, state, workers.length]).toSorted();
  const both = [network.hosts.a, c].map(({ address }) => [`${address}:7110`, "ready", 1]);
  await expect.poll(pipelines, PATIENCE).toEqual(both);
  const told = async () => (await rhone(["status"], { on: c })).stdout; // its supervisor asks now and then
  await expect.poll(told, PATIENCE).toMatch(/^standing +second at \S+: breeze, 1 worker$/m);
});

test("machines that are expelled are shut out at once", TIMEOUT, async () => {
  const { a, b, c } = network.hosts;
  const expel = (name: string) => rhone(["members", "expel", name], { on: a });
  expect(await expel("w")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^expelled the worker w: /) });
  const began = performance.now();
  const workersOfC = async () => (await statusOf(a)).find(({ address }) => address.startsWith(c.address))?.workers;
  await expect.poll(workersOfC, { ...PATIENCE, timeout: 12_000 }).toEqual([]);
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1)} s from expelling to the worker's end\n`);

  const front = clusterAt(b);
  const whole = front
    .post("/v1/completions", { ...PROMPT, max_tokens: 2000 }, within())
    .then(async (response) => [response.status, await response.json()] as const);
  whole.catch(() => {}); // awaited below
  const streams = [await opened(front), await opened(front, { stream_options: { resumable: true } })];
  expect(await expel("front")).toMatchObject({ code: 0 });
  const expelledAt = performance.now();
  const answers = () =>
    answerOf(front).then(
      () => "answered",
      () => "failed",
    );
  await expect.poll(answers, { ...PATIENCE, timeout: 12_000 }).toBe("failed");
  expect(await whole).toMatchObject([503, { code: "shutting_down" }]);
  const [plain, resumable] = await Promise.all(streams.map((stream) => stream.rest));
  expect(plain).toMatch(/"code":"shutting_down"/);
  expect(resumable).toMatch(/TypeError$/); // its connection broke: another gateway has the rest
  process.stdout.write(`${((performance.now() - expelledAt) / 1000).toFixed(1)} s to the last of its requests\n`);
  await expect.poll(() => existsSync(join(b.folder, ".rhone", "run", "cluster.json")), PATIENCE).toBe(false);
  expect(await rhone(["join"], { on: b })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/CERTIFICATE_REFUSED\n.*gateway front was expelled/),
  });
  const { stdout } = await rhone(["members", "list"], { on: a });
  expect(stdout).toMatch(/^second +coordinator +valid /m);
  expect(stdout).toMatch(/^front +gateway +expelled /m);
  expect(stdout).toMatch(/^w +worker +expelled /m);
});
