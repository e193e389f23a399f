import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import { formatBytes, formatCount, formatDuration, formatTable } from "../terminal/format.js";
import { describeLimits } from "../terminal/memory-limits.js";
import type { Style } from "../terminal/style.js";
import { describeAmount, describePreparing } from "./progress.js";

const HEADING = ["WORKER", "LAYERS", "DEVICE", "THREADS", "MEMORY", "LIMIT", "BUSY", "ADDRESS", "PID"];
const RIGHT = [3, 4, 5, 6, 8];

/** A cluster as a page of text. `before`: its status a moment ago, for the rates of tokens. */
export function formatStatus(now: ClusterStatus, before: ClusterStatus, style: Style): string {
  const { model, pages, sequences, kvType, epoch } = now;
  const window = model.slidingWindow === null ? "" : `, sliding window ${model.slidingWindow}`;
  const facts = [
    [
      "model",
      `${formatCount(model.parameters)} parameters, ${model.nLayers} layers, context ${model.contextLength}${window}`,
    ],
    ...describeLimits(now.workers.toSorted(byLayers)).map((limit, index) => [index === 0 ? "memory" : "", limit]),
    ["pages", `${pages.free} of ${pages.total} free, ${pages.cached} cached, ${pages.size} positions each, ${kvType}`],
    ["sequences", `${sequences.running} running, ${sequences.waiting} waiting, limit ${sequences.limit}`],
    ["invariant", describeInvariance(now)],
    ["tokens", describeTokens(now, before)],
    ["epoch", `${epoch}, up ${formatDuration(now.updatedAtMs - now.startedAtMs)}`],
    ...describeDetours(now),
  ];
  const workers = [HEADING, ...now.workers.toSorted(byLayers).map(workerRow)];
  const [heading = "", ...rows] = formatTable(workers, RIGHT).split("\n");
  return [title(now, style), formatTable(facts), "", style.dim(heading), ...rows].join("\n");
}

function title({ model, state, reason, simulated }: ClusterStatus, style: Style): string {
  const colour = state === "ready" ? style.green : state === "failed" ? style.red : style.yellow;
  const kind = simulated ? `  ${style.yellow("simulated: its tokens are meaningless")}` : "";
  return `${style.bold(model.name)}  ${colour(state)}${reason === null ? "" : `: ${reason}`}${kind}`;
}

function describeTokens(now: ClusterStatus, before: ClusterStatus): string {
  const seconds = (now.updatedAtMs - before.updatedAtMs) / 1000;
  const rate = (key: "prompt" | "generated") =>
    seconds > 0 ? ((now.tokens[key] - before.tokens[key]) / seconds).toFixed(1) : "0.0";
  const { prompt, generated } = now.tokens;
  return `${prompt} prompt (${rate("prompt")}/s), ${generated} generated (${rate("generated")}/s)`;
}

/** Whether a request gives the same bits whatever runs beside it, and after a worker was lost. */
function describeInvariance({ workers, state, activationType }: ClusterStatus): string {
  if (state !== "ready") return "known once the pipeline is ready";
  const stages = workers.filter(({ layers }) => layers !== null);
  const varying = stages.find(({ varies }) => varies !== "");
  if (varying !== undefined) return `no, ${varying.worker}: ${varying.varies ?? "its coordinator does not say why"}`;
  if (stages.length === 1 || activationType === "f32") return "yes";
  return `yes, while the layers are cut as they are: activations are ${activationType ?? "f16"} between workers`;
}

/** A line for each hop that is no direct one. */
function describeDetours({ detours, workers }: ClusterStatus): readonly string[][] {
  const stages = workers.filter(({ layers }) => layers !== null).toSorted(byLayers);
  return (detours ?? []).map((stage) => {
    const [from, to] = [stages[stage]?.worker, stages[stage + 1]?.worker];
    return [
      "detour",
      `stage ${stage} -> stage ${stage + 1} over the coordinator: ${from} and ${to} do not reach each other`,
    ];
  });
}

const byLayers = (a: WorkerStatus, b: WorkerStatus): number => (a.layers?.[0] ?? 1e9) - (b.layers?.[0] ?? 1e9);

function workerRow(worker: WorkerStatus): string[] {
  const { layers, going } = worker;
  const held = layers === null ? (going ?? "spare") : `${layers[0]}-${layers[1] - 1}`;
  const notes = [loadingOf(worker), layers === null ? "" : (going ?? ""), spareOf(worker)].filter(
    (note) => note !== "",
  );
  return [
    worker.worker,
    notes.length === 0 ? held : `${held} (${notes.join(", ")})`,
    deviceOf(worker),
    String(worker.threads),
    worker.resident === 0 ? "unknown" : formatBytes(worker.resident), // until its first heartbeat
    formatBytes(worker.memoryTotal),
    `${Math.round(worker.busy * 100)} %`,
    worker.address,
    String(worker.pid),
  ];
}

/** "fetching 1.2 GB of 3.4 GB"; "" when all its weights are loaded. */
export function loadingOf({ preparing, loadedBytes, totalBytes }: WorkerStatus): string {
  if (preparing != null) return describePreparing(preparing);
  return loadedBytes < totalBytes ? describeAmount(loadedBytes, totalBytes) : "";
}

/** "spare 11-21"; "no memory for a spare shard": what it holds to go on without others. */
function spareOf({ spare }: WorkerStatus): string {
  if (spare === undefined) return "";
  const held = spare.layers.map(([first, last]) => `${first}-${last - 1}`);
  if (held.length > 0) return `spare ${held.join(", ")}`;
  return spare.needed === null ? "" : `a spare shard needs ${formatBytes(spare.needed)}`;
}

/** "CPU (avx2)": the device, and what its products are computed with where that is known. */
const deviceOf = ({ device, kernels }: WorkerStatus): string =>
  kernels === undefined ? device : `${device} (${kernels})`;
