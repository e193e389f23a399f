import type { ClusterStatus } from "@rhone/common";
import { z } from "zod";
import { formatBytes, formatDuration } from "./format.js";
import type { Style } from "./style.js";
import { formatTable } from "./table.js";

const workerSchema = z.object({
  worker: z.string(),
  address: z.string(),
  device: z.string(),
  threads: z.number(),
  resident: z.number(),
  layers: z.tuple([z.number(), z.number()]).nullable(),
  loadedBytes: z.number(),
  busy: z.number(),
});

/** What is shown of each coordinator's status. */
const shownSchema = z.object({
  coordinator: z.string(),
  updatedAtMs: z.number(),
  startedAtMs: z.number(),
  state: z.string(),
  reason: z.string().nullable(),
  model: z.object({ name: z.string(), contextLength: z.number(), slidingWindow: z.number().nullable() }),
  kvType: z.string(),
  workers: z.array(workerSchema),
  pages: z.object({ size: z.number(), total: z.number(), free: z.number() }),
  sequences: z.object({ running: z.number(), waiting: z.number(), limit: z.number() }),
  tokens: z.object({ prompt: z.number(), generated: z.number() }),
});
type Shown = z.infer<typeof shownSchema> & Partial<Pick<ClusterStatus, "epoch">>;

/** A gateway's GET /status: one entry per coordinator. */
export const clusterStatusesSchema = z.object({ coordinators: z.array(shownSchema) });

/** One block per coordinator. */
export function formatStatus({ coordinators }: z.infer<typeof clusterStatusesSchema>, style: Style): string {
  if (coordinators.length === 0) return "no coordinator has said anything yet";
  return coordinators.map((status) => formatCoordinator(status, style)).join("\n\n");
}

function formatCoordinator(status: Shown, style: Style): string {
  const { model, pages, sequences, tokens } = status;
  const state = status.state === "ready" ? style.green(status.state) : style.yellow(status.state);
  const window = model.slidingWindow === null ? "no sliding window" : `sliding window ${model.slidingWindow}`;
  const overview = [
    ["state", status.reason === null ? state : `${state} (${status.reason})`],
    ["model", `${model.name}, context ${model.contextLength}, ${window}`],
    ["up for", formatDuration(status.updatedAtMs - status.startedAtMs)],
    ["requests", `${sequences.running} running, ${sequences.waiting} waiting, at most ${sequences.limit} at a time`],
    ["pages", `${pages.free} of ${pages.total} free, ${pages.size} positions each, ${status.kvType}`],
    ["tokens", `${tokens.prompt} of prompts, ${tokens.generated} generated`],
  ];
  const workers = status.workers.map((worker) => [
    worker.worker.slice(0, 12),
    worker.layers === null ? "spare" : `${worker.layers[0]}-${worker.layers[1] - 1}`,
    worker.device,
    String(worker.threads),
    formatBytes(worker.loadedBytes),
    formatBytes(worker.resident),
    `${Math.round(worker.busy * 100)} %`,
    worker.address,
  ]);
  const heading = ["WORKER", "LAYERS", "DEVICE", "THREADS", "WEIGHTS", "RESIDENT", "BUSY", "ADDRESS"];
  return `${formatTable(overview)}\n\n${formatTable([heading, ...workers], [3, 4, 5, 6])}`;
}
