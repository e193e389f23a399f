import { copyFileSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GgufFile, openGguf, readModelConfig, tensorsOfShard } from "@rhone/model";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";
import type { Host } from "./host.js";
import { Network } from "./network.js";
import { skipWithoutHosts, whyNoHosts } from "./why-no-hosts.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
/** Share of what a machine is sent beside its tensors: packets' headers. */
const MOST_OVERHEAD = 0.1;
/** And beside both, most of it in proportion to the seconds that joining takes: certificates, probes, heartbeats. */
const JOINING_BYTES = 300_000;
const SMALL = ["--threads", "1", "--memory", "400M"];
const PATIENCE = { timeout: 60_000, interval: 200 };
const TIMEOUT = { timeout: 120_000 };

interface Status {
  readonly coordinators: readonly {
    readonly state: string;
    readonly workers: readonly { readonly worker: string; readonly layers: readonly [number, number] | null }[];
  }[];
}

skipWithoutHosts();
let network: Network<"a" | "b" | "c">;
let cluster: RunningCluster;
let invitation: readonly string[];

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "b", "c"]);
  const { a } = network.hosts;
  const model = join(a.folder, "m.gguf");
  copyFileSync(BREEZE, model);
  const flags = ["--model", model, "--listen", "--host", a.address, "--auth", "off", "--workers", "1", ...SMALL];
  const { code, stdout, stderr } = await rhone(["up", "--detach", ...flags], { on: a });
  const url = /^ready (http:\S+)$/m.exec(stdout)?.[1];
  const command = /^ *rhone (join \S+ \S+)$/m.exec(stdout)?.[1];
  if (code !== 0 || url === undefined || command === undefined) throw new Error(`${stdout}${stderr}`);
  cluster = new RunningCluster({ url, dataDir: join(a.folder, ".rhone") });
  invitation = command.split(" ");
});
afterAll(() => network?.close());

async function received(host: Host): Promise<number> {
  return Number((await host.run("cat", ["/sys/class/net/eth0/statistics/rx_bytes"])).stdout);
}

/** Whether three workers have layers and the pipeline is ready. The gateway tells those without a key no names. */
async function isServedByThree(): Promise<boolean> {
  const [coordinator] = ((await (await fetch(`${cluster.url}/status`)).json()) as Status).coordinators;
  return coordinator?.state === "ready" && coordinator.workers.filter(({ layers }) => layers !== null).length === 3;
}

/** The layers of each worker of the pipeline, by machine; null while it is not ready. */
async function layers(): Promise<ReadonlyMap<string, readonly [number, number]> | null> {
  const { stdout } = await rhone(["status", "--json"], { on: network.hosts.a });
  const [coordinator] = (JSON.parse(stdout) as Status).coordinators;
  if (coordinator?.state !== "ready") return null;
  return new Map(
    coordinator.workers.flatMap(({ worker, layers }) =>
      layers === null ? [] : [[worker.split("-")[0] ?? "", layers]],
    ),
  );
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

const answer = () => cluster.ask("/v1/completions", { prompt: "The sea", max_tokens: 20, temperature: 0 });

test("machines that join fetch their layers' bytes and little else", TIMEOUT, async () => {
  const { b, c } = network.hosts;
  const before = await Promise.all([b, c].map(received));
  const began = performance.now();
  const joined = await Promise.all([b, c].map((on) => rhone([...invitation, "--detach", ...SMALL], { on })));
  expect(joined.map(({ code, stderr }) => [code, stderr])).toEqual([
    [0, ""],
    [0, ""],
  ]);
  await expect.poll(isServedByThree, PATIENCE).toBe(true);
  const seconds = (performance.now() - began) / 1000;
  const held = await vi.waitFor(async () => (await layers()) ?? Promise.reject(new Error("being cut again")), PATIENCE);
  const after = await Promise.all([b, c].map(received));
  const file = await openGguf(BREEZE);
  for (const [index, host] of [b, c].entries()) {
    const bytes = (after[index] ?? 0) - (before[index] ?? 0);
    const own = bytesOf(file, tensorsOf(file, held.get(host.name) ?? [0, 0]));
    const kept = bytesOf(file, tensorsKeptBy(host));
    process.stdout.write(
      `${host.name}: ${bytes} bytes for ${own}, ${kept} kept, ${seconds.toFixed(1)} s; ${[...held].join(" ")}\n`,
    );
    expect(kept).toBeGreaterThanOrEqual(own);
    expect(kept).toBeLessThan(statSync(BREEZE).size * 0.95);
    expect(bytes).toBeGreaterThan(own);
    expect(bytes).toBeLessThan(kept * (1 + MOST_OVERHEAD) + JOINING_BYTES);
  }
  await answer();
});
