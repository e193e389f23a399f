import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Host, Network } from "@rhone/bench";
import { type GgufFile, openGguf, readModelConfig, tensorsOfShard } from "@rhone/model";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { rhone } from "../cluster/start-cluster.js";
import { ListeningCluster } from "./listening-cluster.js";
import { runOn } from "./run-on.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";
import { type Wire, WireShaper } from "./wire-shaper.js";

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
/** The same in proportion to the seconds that joining takes, of which a small model has many for its bytes. */
const JOINING_BYTES = LARGE === undefined ? 300_000 : 0;
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
  await Promise.all([b, c].map((host) => new WireShaper(host).shape(WIRE)));
}, TIMEOUT.timeout);
afterAll(() => network?.close());

/** What a host has received: all bytes, and those within TCP. */
async function received(host: Host): Promise<{ readonly all: number; readonly within: number }> {
  const counters = ["bytes", "packets"].map((name) => `/sys/class/net/eth0/statistics/rx_${name}`);
  const [bytes = 0, frames = 0] = (await runOn(host, "cat", counters)).stdout.trim().split("\n").map(Number);
  return { all: bytes, within: bytes - HEADERS * frames };
}

/** The layers of each machine's worker; null while the pipeline is not ready. */
async function layers(): Promise<ReadonlyMap<string, readonly [number, number]> | null> {
  const workers = await listening.workers();
  if (workers === null) return null;
  const pairs = workers.map(({ worker, layers }) => [worker.split("-")[0] ?? "", layers] as const);
  return new Map(pairs.flatMap(([machine, layers]) => (layers === null ? [] : [[machine, layers]])));
}

/** Bytes of the tensors and of the model's header. */
function bytesOf(file: GgufFile, tensors: ReadonlySet<string>): number {
  const bytes = [...tensors].map((name) => file.tensors.get(name)?.bytes ?? Number.NaN);
  return bytes.reduce((sum, each) => sum + each, file.parts[0]?.headerBytes ?? 0);
}

/** The tensors of layers [first, last) and of what is around them. */
function tensorsOf(file: GgufFile, [first, last]: readonly [number, number]): ReadonlySet<string> {
  const config = readModelConfig(file);
  const range = { first, last, embeds: first === 0, heads: last === config.nLayers };
  return new Set(tensorsOfShard(config, file, range).map(({ info }) => info.name));
}

/** What a machine has fetched: the tensors of all layers that it was given as others joined and steps were timed. */
function tensorsKeptBy({ folder }: Host): ReadonlySet<string> {
  const cache = join(folder, ".rhone", "weights");
  const journals = readdirSync(cache, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".jsonl"));
  const lines = journals.flatMap((path) => readFileSync(join(cache, path), "utf8").trim().split("\n"));
  return new Set(lines.flatMap((line) => (JSON.parse(line) as { readonly tensor?: string }).tensor ?? []));
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

interface Received {
  /** Bytes of the layers that it has. */
  readonly own: number;
  /** Bytes of those and of the ones that it had before. */
  readonly kept: number;
  readonly within: number;
}

/** What each joiner's machine received for its layers, once all serve; tells it with the seconds that it took. */
async function receivedToServe(): Promise<readonly Received[]> {
  const { b, c } = network.hosts;
  const before = await Promise.all([b, c].map(received));
  const seconds = await joinBoth();
  const held = await vi.waitFor(async () => (await layers()) ?? Promise.reject(new Error("being cut again")), PATIENCE);
  const after = await Promise.all([b, c].map(received));
  const file = await openGguf(MODEL);
  return [b, c].map((host, index) => {
    const [first, last] = [before[index], after[index]];
    const [all, within] = [(last?.all ?? 0) - (first?.all ?? 0), (last?.within ?? 0) - (first?.within ?? 0)];
    const own = bytesOf(file, tensorsOf(file, held.get(host.name) ?? [0, 0]));
    const kept = bytesOf(file, tensorsKeptBy(host));
    const more = [within, all].map((bytes) => `${(100 * (bytes / kept - 1)).toFixed(2)} %`);
    process.stdout.write(
      `${host.name}, layers ${held.get(host.name)?.join("-")}: ${own} bytes, ${kept} kept, and ${more.join(", with headers ")} more; ` +
        `${seconds.toFixed(1)} s from join to serving\n`,
    );
    return { own, kept, within };
  });
}

test("machines that join fetch their layers' bytes and little else", TIMEOUT, async () => {
  for (const { own, kept, within } of await receivedToServe()) {
    expect(kept).toBeGreaterThanOrEqual(own);
    expect(within).toBeGreaterThan(own);
    expect(within).toBeLessThan(kept * (1 + MOST_OVERHEAD) + JOINING_BYTES);
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
