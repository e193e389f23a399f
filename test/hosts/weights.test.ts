import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openGguf, readModelConfig, tensorsOfShard } from "@rhone/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rhone } from "../cluster/start-cluster.js";
import type { Host } from "./host.js";
import { ListeningCluster } from "./listening-cluster.js";
import { Network } from "./network.js";
import { skipWithoutHosts, whyNoHosts } from "./why-no-hosts.js";
import type { Wire } from "./wire-shaper.js";

/**
 * The demonstration model, or a large one for figures, over cables that may be bad:
 *
 * RHONE_HOSTS_MODEL=/m8.gguf RHONE_HOSTS_WIRE='{"delayMs":20,"loss":0.01}' npx vitest run test/hosts/weights.test.ts
 */
const LARGE = process.env.RHONE_HOSTS_MODEL;
const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const MODEL = LARGE ?? BREEZE;
/** What the joiners' cables do. */
const WIRE: Wire | null = JSON.parse(process.env.RHONE_HOSTS_WIRE ?? "null");
/**
 * Share of what a machine is sent beside its layers: certificates, probes, heartbeats, and HTTP/2's and TLS's own. The
 * headers of Ethernet, IP and TCP are left out: they depend on the size of frames.
 */
const MOST_OVERHEAD = LARGE === undefined ? 0.1 : 0.02;
const HEADERS = 14 + 20 + 32;
const SMALL = ["--threads", "1", "--memory", LARGE === undefined ? "400M" : "2G"];
const MINUTES = LARGE === undefined ? 1 : 20;
const PATIENCE = { timeout: MINUTES * 60_000, interval: 200 };
const TIMEOUT = { timeout: 2 * MINUTES * 60_000 };

skipWithoutHosts();
let network: Network<"a" | "b" | "c">;
let listening: ListeningCluster;

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "b", "c"]);
  const { a, b, c } = network.hosts;
  const model = join(a.folder, "m.gguf");
  copyFileSync(MODEL, model);
  listening = await ListeningCluster.start(a, ["--model", model, ...SMALL]);
  await Promise.all([b, c].map((host) => host.shape(WIRE)));
}, TIMEOUT.timeout);
afterAll(() => network?.close());

/** What a host has received: all bytes, and those within TCP. */
async function received(host: Host): Promise<{ readonly all: number; readonly within: number }> {
  const counters = ["bytes", "packets"].map((name) => `/sys/class/net/eth0/statistics/rx_${name}`);
  const [bytes = 0, frames = 0] = (await host.run("cat", counters)).stdout.trim().split("\n").map(Number);
  return { all: bytes, within: bytes - HEADERS * frames };
}

/** The layers of each machine's worker; null while the pipeline is not ready. */
async function layers(): Promise<ReadonlyMap<string, readonly [number, number]> | null> {
  const workers = await listening.workers();
  if (workers === null) return null;
  const pairs = workers.map(({ worker, layers }) => [worker.split("-")[0] ?? "", layers] as const);
  return new Map(pairs.flatMap(([machine, layers]) => (layers === null ? [] : [[machine, layers]])));
}

async function bytesOf([first, last]: readonly [number, number]): Promise<number> {
  const file = await openGguf(MODEL);
  const config = readModelConfig(file);
  const range = { first, last, embeds: first === 0, heads: last === config.nLayers };
  const tensors = new Map(tensorsOfShard(config, file, range).map(({ info }) => [info.name, info.bytes]));
  return [...tensors.values()].reduce((sum, bytes) => sum + bytes, 0) + (file.parts[0]?.headerBytes ?? 0);
}

const answer = () => listening.cluster.ask("/v1/completions", { prompt: "The sea", max_tokens: 20, temperature: 0 });

/** Both machines join at once; the seconds until the pipeline serves with all three. */
async function joinBoth(): Promise<number> {
  const { b, c } = network.hosts;
  const began = performance.now();
  await Promise.all([b, c].map((host) => listening.join(host, SMALL, TIMEOUT.timeout)));
  await expect.poll(async () => (await layers())?.size, PATIENCE).toBe(3);
  return (performance.now() - began) / 1000;
}

/** What each joiner's machine received for its layers, once all serve; tells it with the seconds that it took. */
async function receivedToServe(): Promise<readonly { readonly own: number; readonly within: number }[]> {
  const { b, c } = network.hosts;
  const before = await Promise.all([b, c].map(received));
  const seconds = await joinBoth();
  const after = await Promise.all([b, c].map(received));
  const held = await layers();
  const figures = [b, c].map(async (host, index) => {
    const [first, last] = [before[index], after[index]];
    const [all, within] = [(last?.all ?? 0) - (first?.all ?? 0), (last?.within ?? 0) - (first?.within ?? 0)];
    const own = await bytesOf(held?.get(host.name) ?? [0, 0]);
    const more = [within, all].map((bytes) => `${(100 * (bytes / own - 1)).toFixed(2)} %`);
    process.stdout.write(
      `${host.name}, layers ${held?.get(host.name)?.join("-")}: ${own} bytes, and ${more.join(", with headers ")} more; ` +
        `${seconds.toFixed(1)} s from join to serving\n`,
    );
    return { own, within };
  });
  return Promise.all(figures);
}

test("machines that join fetch their layers' bytes and little else", TIMEOUT, async () => {
  for (const { own, within } of await receivedToServe()) {
    expect(within).toBeGreaterThan(own);
    expect(within).toBeLessThan(own * (1 + MOST_OVERHEAD));
  }
  await answer();
});

test.runIf(LARGE !== undefined)("when they join again, the layers are there", TIMEOUT, async () => {
  const { b, c } = network.hosts;
  for (const host of [b, c]) expect(await rhone(["leave"], { on: host })).toMatchObject({ code: 0 });
  await expect.poll(async () => (await layers())?.size, PATIENCE).toBe(1);
  for (const { own, within } of await receivedToServe()) expect(within).toBeLessThan(own / 50);
  await answer();
});
