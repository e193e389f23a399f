import { type Parsed, traceCarrierSchema } from "@rhone/common";
import { z } from "zod";

/** The endpoints that the lines of a batch may call. */
export const BATCH_ENDPOINT_PATHS = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] as const;

export type BatchEndpoint = (typeof BATCH_ENDPOINT_PATHS)[number];

/** Why a line cannot be run. One such line fails the whole batch. */
const lineProblemSchema = z.object({
  code: z.string(),
  message: z.string(),
  param: z.string().nullable(),
  /** From 1; null when the problem is the file's. */
  line: z.number().nullable(),
});
export type BatchLineProblem = Parsed<typeof lineProblemSchema>;

const ENDINGS = ["completed", "expired", "cancelled"] as const;
export type BatchEnding = (typeof ENDINGS)[number];

const statusSchema = z.enum(["validating", "in_progress", "finalizing", "failed", ...ENDINGS]);
export type BatchStatus = z.output<typeof statusSchema>;

export const batchUsageSchema = z.object({
  promptTokens: z.number(),
  cachedTokens: z.number(),
  completionTokens: z.number(),
});
export type BatchUsage = Parsed<typeof batchUsageSchema>;

/** A batch as it is stored. Only the gateway that holds its lease changes it. Times are Unix seconds. */
export const batchRecordSchema = z.object({
  /** Absent = 1, the only version so far. A new optional field keeps the version, a change of meaning raises it. */
  version: z.literal(1).exactOptional(),
  id: z.string(),
  /** The name of the API key that owns it; absent or "" where no keys were required. */
  owner: z.string().exactOptional(),
  /** The format of its lines: OpenAI's have a method and a URL, Mistral's only a body. */
  format: z.enum(["openai", "mistral"]),
  endpoint: z.enum(BATCH_ENDPOINT_PATHS),
  /** The model of its lines; Mistral's jobs may name it once for all of them. */
  model: z.string().nullable(),
  inputFileIds: z.array(z.string()),
  completionWindow: z.string(),
  metadata: z.record(z.string(), z.string()).nullable(),
  /** Seconds that its output and error files are kept; null: until they are deleted. */
  outputExpiresAfterS: z.number().nullable(),
  status: statusSchema,
  /** The status after finalizing. */
  ending: z.enum(ENDINGS).nullable(),
  problems: z.array(lineProblemSchema),
  counts: z.object({ total: z.number(), completed: z.number(), failed: z.number() }),
  usage: batchUsageSchema,
  outputFileId: z.string().nullable(),
  errorFileId: z.string().nullable(),
  createdAt: z.number(),
  expiresAt: z.number(),
  reachedAt: z.partialRecord(statusSchema, z.number()),
  /** The span of the request that made it; absent: it was not traced. */
  trace: traceCarrierSchema.exactOptional(),
});
export type BatchRecord = Parsed<typeof batchRecordSchema>;

export const NO_USAGE: BatchUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };

export const addUsage = (a: BatchUsage, b: BatchUsage): BatchUsage => ({
  promptTokens: a.promptTokens + b.promptTokens,
  cachedTokens: a.cachedTokens + b.cachedTokens,
  completionTokens: a.completionTokens + b.completionTokens,
});

const NEXT: Readonly<Record<BatchStatus, readonly BatchStatus[]>> = {
  validating: ["in_progress", "failed"],
  in_progress: ["finalizing", "failed"],
  finalizing: ["completed", "expired", "cancelled", "failed"],
  completed: [],
  expired: [],
  cancelled: [],
  failed: [],
};

/** Whether the record is final. */
export const isOver = ({ status }: BatchRecord): boolean => NEXT[status].length === 0;

/** A step of a batch, and when it was taken. */
export interface BatchStep {
  readonly status: BatchStatus;
  readonly changes?: Partial<BatchRecord>;
  readonly nowMs?: number;
}

/** The batch in its next state, with the time. Throws for a step that the states do not allow. */
export function advance(record: BatchRecord, { status, changes = {}, nowMs = Date.now() }: BatchStep): BatchRecord {
  if (!NEXT[record.status].includes(status)) throw new Error(`A batch that is ${record.status} can't become ${status}`);
  const reachedAt = { ...record.reachedAt, [status]: Math.floor(nowMs / 1000) };
  return { ...record, ...changes, status, reachedAt };
}
