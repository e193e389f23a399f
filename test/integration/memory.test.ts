import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const WORKERS = 2;
/** The process itself: Node, libraries, a staging buffer for the largest tensor, the graph's own memory. */
const PROCESS_BYTES = 300e6;

interface LoadedShard {
  readonly pid: number;
  readonly first: number;
  readonly weightBytes: number;
  readonly pageBytes: number;
  /** Bytes of all shards that the process has loaded: layers may be cut again once they are timed. */
  readonly everLoadedBytes: number;
}

/** Each worker's log entry about the last shard that it loaded. */
function loadedShards({ dataDir }: RunningCluster): readonly LoadedShard[] {
  return Array.from({ length: WORKERS }, (_, index) => {
    const log = readFileSync(join(dataDir, "logs", `worker-${index + 1}.log`), "utf8");
    const lines = log.split("\n").filter((text) => text.includes("shard loaded"));
    const loads = lines.map((line) => JSON.parse(line) as Omit<LoadedShard, "everLoadedBytes">);
    const last = loads.at(-1);
    if (last === undefined) throw new Error(`worker ${index + 1} has loaded no shard`);
    return { ...last, everLoadedBytes: loads.reduce((sum, { weightBytes }) => sum + weightBytes, 0) };
  });
}

test("workers read only their layers, and hold weights, pages and little else", { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "rhone-system-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const model = join(folder, "synth.gguf");
  const { code, stderr } = await rhone(["model", "synth", "--preset", "mistral-7b", "--layers", "2", "--out", model]);
  expect(code, stderr).toBe(0);
  const cluster = await RunningCluster.start(["--model", model, "--memory", "1G", "--workers", String(WORKERS)]);
  onTestFinished(() => cluster.stop());
  const prompt = Array.from({ length: 200 }, (_, i) => 100 + i);
  const { usage } = await cluster.ask<{ usage: { completion_tokens: number } }>("/v1/completions", {
    prompt,
    max_tokens: 4,
    ignore_eos: true,
  });
  expect(usage.completion_tokens).toBe(4);

  const shards = loadedShards(cluster);
  expect(shards.reduce((sum, { weightBytes }) => sum + weightBytes, 0)).toBeLessThan(statSync(model).size);
  const { workers } = await cluster.status();
  for (const { pid, weightBytes, pageBytes, everLoadedBytes } of shards) {
    const worker = workers.find((each) => each.pid === pid);
    expect(worker?.resident).toBeLessThan(weightBytes + pageBytes + PROCESS_BYTES);
    if (!existsSync(`/proc/${pid}/io`)) continue; // Linux alone counts it
    const read = Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
    expect(read).toBeGreaterThan(everLoadedBytes);
    expect(read).toBeLessThan(everLoadedBytes + 50e6);
  }
});
