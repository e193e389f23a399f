import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Host, ip, Network } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rhone } from "../cluster/start-cluster.js";
import { ListeningCluster } from "./listening-cluster.js";
import { runOn } from "./run-on.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";

const SIMULATE = ["--simulate", "stage-ms=5"];
const PATIENCE = { timeout: 40_000, interval: 200 };
const TIMEOUT = { timeout: 120_000 };
const PROMPT = { prompt: "The sea", max_tokens: 20, ignore_eos: true, temperature: 0, return_token_ids: true };
const LOOPBACK = ["127.0.0.1", "[::1]"];

interface Completion {
  readonly choices: readonly { readonly token_ids: readonly number[] }[];
}

skipWithoutHosts();
let network: Network<"a" | "b" | "c">;
let listening: ListeningCluster;
let alone: readonly number[];

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "b", "c"]);
  listening = await ListeningCluster.start(network.hosts.a, SIMULATE);
  alone = await answer();
});
afterAll(() => network?.close());

const answer = async (): Promise<readonly number[]> =>
  (await listening.cluster.ask<Completion>("/v1/completions", PROMPT)).choices[0]?.token_ids ?? [];

test("machines join by the command that `rhone up --listen` prints, and serve", TIMEOUT, async () => {
  const { b, c } = network.hosts;
  const began = performance.now();
  await Promise.all([b, c].map((host) => listening.join(host, SIMULATE)));
  await expect.poll(() => listening.workers(), PATIENCE).toHaveLength(3);
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1)} s from join to serving\n`);
  expect(await answer()).toEqual(alone);
});

test("no process, environment, log or status of the machines has a secret of the cluster", async () => {
  const { a, b, c } = network.hosts;
  const token = listening.invitation.at(-1) ?? "";
  const secrets = [
    ...[a, b, c].flatMap(({ folder }) => secretsIn(join(folder, ".rhone"))),
    token.split(".").at(-1) ?? "",
  ];
  expect(secrets.length).toBeGreaterThanOrEqual(9); // the authority's key, 5 of identities, secrets of 3, the token
  const found: string[] = [];
  const look = (place: string, text: string): void => {
    if (secrets.some((secret) => text.includes(secret))) found.push(place);
  };
  for (const host of [a, b, c]) {
    for (const pid of pidsOf(host)) {
      for (const file of ["cmdline", "environ"]) look(`${pid} ${file}`, readFileSync(`/proc/${pid}/${file}`, "utf8"));
    }
    for (const log of filesIn(join(host.folder, ".rhone", "logs"))) look(log, readFileSync(log, "utf8"));
    look(`status of ${host.name}`, (await rhone(["status", "--json"], { on: host })).stdout);
  }
  for (const path of ["/status", "/ready", "/metrics"]) {
    look(path, await (await fetch(`${listening.cluster.url}${path}`)).text());
  }
  expect(found).toEqual([]);
});

test("what listens beyond the loopback are the ports of docs/cluster.md, at the machine's own address", async () => {
  const { a, b } = network.hosts;
  const { cluster } = listening;
  const { workers } = await cluster.status();
  const operations = [cluster.record().operations ?? "", ...workers.map((worker) => worker.operations)];
  const expected = ({ address }: Host, ...ports: readonly number[]): readonly string[] =>
    [...ports.map((port) => `${address}:${port}`), ...operations.filter((it) => it.startsWith(`${address}:`))].sort();
  const gateway = Number(new URL(cluster.url).port);
  expect(await listeningBeyondLoopback(a)).toEqual(expected(a, 7100, 7101, 7110, 7120, gateway));
  expect(await listeningBeyondLoopback(b)).toEqual(expected(b, 7200));
});

test("a machine that is drained or leaves is let go, and joins again without a token", TIMEOUT, async () => {
  const { a, b } = network.hosts;
  const { code, stdout } = await rhone(["drain", "b", "--json"], { on: a });
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { worker: expect.stringMatching(/^b/), state: "drained" }]);
  expect(await answer()).toEqual(alone);
  expect(await rhone(["leave"], { on: b })).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^leaving: .*\n$/),
  });
  expect(await rhone(["status"], { on: b })).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^ended +it was/m),
  });
  await expect.poll(() => listening.workers(), PATIENCE).toHaveLength(2);
  expect(await answer()).toEqual(alone);
  expect(await rhone(["join", "--detach", ...SIMULATE], { on: b })).toMatchObject({ code: 0, stderr: "" });
  await expect.poll(() => listening.workers(), PATIENCE).toHaveLength(3);
});

const pidsOf = ({ namespace }: Host): readonly string[] => ip("netns", "pids", namespace).split("\n").filter(Boolean);

/** Local addresses of `ss -ltn` in the host's namespace. */
async function listeningBeyondLoopback(host: Host): Promise<readonly string[]> {
  const { stdout } = await runOn(host, "ss", ["-Hltn"]);
  const local = stdout.split("\n").flatMap((line) => line.trim().split(/\s+/)[3] ?? []);
  return local.filter((address) => !LOOPBACK.includes(address.slice(0, address.lastIndexOf(":")))).toSorted();
}

/** The cluster's secret, the password of Redis, and a line out of the middle of each private key. */
function secretsIn(dataDir: string): readonly string[] {
  const texts = filesIn(dataDir).flatMap((path) => {
    if (/(^|\/)(cluster-secret|redis-password)$/.test(path)) return [readFileSync(path, "utf8").trim()];
    if (!/key\.pem$/.test(path)) return [];
    const [, key = ""] = /PRIVATE KEY-----\n([^-]+)/.exec(readFileSync(path, "utf8")) ?? [];
    return key.split("\n").slice(1, 2); // the first line begins alike in all keys of the kind
  });
  return texts.filter((text) => text.length >= 16);
}

function filesIn(folder: string): readonly string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}
