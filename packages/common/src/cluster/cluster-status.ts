import { z } from "zod";
import { activationTypeSchema, kvTypeSchema, type Parsed } from "../config/schemas.js";
import { explainRefusal } from "../errors/explain-refusal.js";
import { RhoneError } from "../errors/rhone-error.js";

export const pipelineStateSchema = z.enum(["waiting_for_workers", "loading", "probing", "ready", "failed"]);
export type PipelineState = z.infer<typeof pipelineStateSchema>;

/** Measured milliseconds of one layer, and of the head, in a step of `rows` decode rows. */
const stepTimeSchema = z.object({ rows: z.number(), layerMs: z.number(), headMs: z.number() });
export type StepTimeStatus = Parsed<typeof stepTimeSchema>;

const preparingSchema = z.object({ phase: z.enum(["check", "fetch"]), bytes: z.number(), totalBytes: z.number() });
/** What a worker does with the bytes of its tensors before it loads them. */
export type Preparing = Parsed<typeof preparingSchema>;

const workerStatusSchema = z.object({
  worker: z.string(),
  address: z.string(),
  /** host:port of the worker's /metrics, /status, /health and /ready. */
  operations: z.string(),
  hostname: z.string(),
  pid: z.number(),
  device: z.string(),
  /** "ggml", or Rhone's own kernels by name; absent from a coordinator that does not know. */
  kernels: z.string().exactOptional(),
  threads: z.number(),
  /** Bytes that the worker may use. */
  memoryTotal: z.number(),
  /** Where these come from, in words: "90 % of 18.7 GB free"; absent from a coordinator that does not know. */
  memoryFrom: z.string().exactOptional(),
  /** Bytes that its process holds now. */
  resident: z.number(),
  /** The worker's layers [first, last); null for a spare. */
  layers: z.tuple([z.number(), z.number()]).nullable(),
  /** It is about to end, or an operator has taken its layers away or is about to; absent: neither. */
  going: z.enum(["leaving", "draining", "drained"]).exactOptional(),
  /**
   * Layers that it holds beyond its own, [first, last) each, so that it serves them at once when their worker is lost,
   * and the bytes of their weights. `needed`: the memory that a further spare shard would have needed; null: it holds
   * as many as it was told to. Absent: none, and none is lacking.
   */
  spare: z
    .object({
      layers: z.array(z.tuple([z.number(), z.number()])),
      bytes: z.number(),
      needed: z.number().nullable(),
    })
    .exactOptional(),
  /** Bytes of weights loaded so far, and when all are loaded. */
  loadedBytes: z.number(),
  totalBytes: z.number(),
  /**
   * Bytes of its layers' weights that it compares with the coordinator's, or fetches, before it loads them; null: of
   * none. Absent from a coordinator that does not say.
   */
  preparing: preparingSchema.nullable().exactOptional(),
  /** Bytes of its K/V pages. */
  pageBytes: z.number(),
  /**
   * Why its results may depend on what else is computed, in words; empty: they do not. Absent from a coordinator that
   * does not know.
   */
  varies: z.string().exactOptional(),
  /**
   * Null until the worker has timed its layers. `alone`: timed while the other workers of its machine were idle.
   * `waited`: share of that time in which its threads had no core; absent where it is not known.
   */
  stepTimes: z
    .object({ curve: z.array(stepTimeSchema), alone: z.array(stepTimeSchema), waited: z.number().exactOptional() })
    .nullable(),
  /** Share of the last second spent computing, 0 to 1. */
  busy: z.number(),
});
export type WorkerStatus = Parsed<typeof workerStatusSchema>;

const servedModelSchema = z.object({
  name: z.string(),
  path: z.string(),
  /** SHA-256 of the GGUF header. */
  fingerprint: z.string(),
  /** Most positions of one sequence, prompt and generated tokens together. */
  contextLength: z.number(),
  /** Positions that a token attends to, itself included; null = all. */
  slidingWindow: z.number().nullable(),
  vocabSize: z.number(),
  nLayers: z.number(),
  parameters: z.number(),
  fileBytes: z.number(),
});
export type ServedModel = Parsed<typeof servedModelSchema>;

/** Token counts since the coordinator started. */
const tokenCountsSchema = z.object({
  /** Prompt tokens of accepted requests. */
  prompt: z.number(),
  /** Prompt tokens of finished requests that came from the prefix cache. */
  cached: z.number(),
  generated: z.number(),
  /** Tokens guessed ahead, and how many of them were right. */
  drafted: z.number(),
  accepted: z.number(),
});
export type TokenCounts = Parsed<typeof tokenCountsSchema>;

/** What was guessed ahead since the coordinator started. */
const draftCountsSchema = z.object({
  /** Times at which a sequence had drafts in a step. */
  rounds: z.number(),
  /** Tokens guessed, and how many of them were right, by their place behind the known token, from 0. */
  guessed: z.array(z.number()),
  right: z.array(z.number()),
});
export type DraftCounts = Parsed<typeof draftCountsSchema>;

/** What a coordinator publishes each second; /ready, /v1/models and `rhone status` are answered from it. */
const clusterStatusSchema = z.object({
  /** Absent = 1, the only version so far. A new optional field keeps the version, a change of meaning raises it. */
  version: z.literal(1).exactOptional(),
  coordinator: z.string(),
  /** host:port at which workers join; absent from a coordinator that does not say. */
  address: z.string().exactOptional(),
  /** host:port of the coordinator's /metrics, /status, /health and /ready. */
  operations: z.string(),
  /** Unix milliseconds. */
  updatedAtMs: z.number(),
  startedAtMs: z.number(),
  state: pipelineStateSchema,
  /** Why the pipeline is not ready, in words; null when it is. */
  reason: z.string().nullable(),
  model: servedModelSchema,
  /** The workers compute nothing and the tokens follow a rule. */
  simulated: z.boolean(),
  epoch: z.number(),
  kvType: kvTypeSchema,
  /** Type of the activations between stages; absent from a coordinator that does not say. */
  activationType: activationTypeSchema.exactOptional(),
  /** Bytes of one row of them; absent from a coordinator that does not say. */
  activationBytes: z.number().exactOptional(),
  workers: z.array(workerStatusSchema),
  /**
   * Stages, from 0, whose frames go over the coordinator, since their workers and the next ones do not reach each
   * other. Absent from a coordinator that does not say.
   */
  detours: z.array(z.number()).exactOptional(),
  /**
   * Milliseconds of a hop between two processes, a mean over the last steps; null: no step has run in this epoch.
   * Absent from a coordinator that does not say.
   */
  hopMs: z.number().nullable().exactOptional(),
  pages: z.object({ size: z.number(), total: z.number(), free: z.number(), cached: z.number() }),
  sequences: z.object({
    running: z.number(),
    waiting: z.number(),
    /** Of both: those that ran when a pipeline was lost and have had no token since. Absent: it does not say. */
    interrupted: z.number().exactOptional(),
    /** Of these: Unix milliseconds at which the first of their requests arrived. Absent: none, or it does not say. */
    oldestInterruptedAtMs: z.number().exactOptional(),
    limit: z.number(),
  }),
  tokens: tokenCountsSchema,
  /** Absent from a coordinator that does not say, as the next. */
  drafts: draftCountsSchema.exactOptional(),
  /** Sequences that lost their pages to others, since the coordinator started. */
  evictions: z.number().exactOptional(),
});
export type ClusterStatus = Parsed<typeof clusterStatusSchema>;

/** The status for those who show no credential: without ids, addresses, paths, and what may name them. */
export function anonymousStatus(status: ClusterStatus, index: number): ClusterStatus {
  return {
    ...status,
    coordinator: String(index + 1),
    address: "",
    operations: "",
    reason: status.reason === null ? null : status.state.replaceAll("_", " "),
    model: { ...status.model, path: "" },
    workers: status.workers.map((worker, place) => {
      const unnamed = { worker: `worker-${place + 1}`, address: "", operations: "", hostname: "", pid: 0 };
      return { ...worker, ...unnamed, ...(worker.memoryFrom !== undefined && { memoryFrom: "" }) };
    }),
  };
}

/** Reads a published status; null when it is of a version that this one cannot read. */
export function parseClusterStatus(json: string): ClusterStatus | null {
  return clusterStatusSchema.safeParse(JSON.parse(json)).data ?? null;
}

/** Checks a status that `sender` sent. Throws RECORD_UNREADABLE for one of a version that this one cannot read. */
export function checkClusterStatus(status: unknown, sender: string): ClusterStatus {
  const { data, error } = clusterStatusSchema.safeParse(status, { reportInput: true });
  if (data !== undefined) return data;
  throw new RhoneError(
    "RECORD_UNREADABLE",
    `${sender} sent a status of another version of Rhone, which can't be read here ` +
      `(${explainRefusal(error, "the status").problem}); use the same version on both sides.`,
  );
}
