/** The endpoints that the lines of a batch may call. */
export const BATCH_ENDPOINT_PATHS = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] as const;

export type BatchEndpoint = (typeof BATCH_ENDPOINT_PATHS)[number];

/** Why a line cannot be run. One such line fails the whole batch. */
export interface BatchLineProblem {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  /** From 1; null when the problem is the file's. */
  readonly line: number | null;
}

export type BatchEnding = "completed" | "expired" | "cancelled";
export type BatchStatus = "validating" | "in_progress" | "finalizing" | "failed" | BatchEnding;

export interface BatchUsage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** A batch as it is stored. Only the gateway that holds its lease changes it. Times are Unix seconds. */
export interface BatchRecord {
  readonly id: string;
  /** The name of the API key that owns it; absent or "" where no keys were required. */
  readonly owner?: string;
  /** The format of its lines: OpenAI's have a method and a URL, Mistral's only a body. */
  readonly format: "openai" | "mistral";
  readonly endpoint: BatchEndpoint;
  /** The model of its lines; Mistral's jobs may name it once for all of them. */
  readonly model: string | null;
  readonly inputFileIds: readonly string[];
  readonly completionWindow: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** Seconds that its output and error files are kept; null: until they are deleted. */
  readonly outputExpiresAfterS: number | null;
  readonly status: BatchStatus;
  /** The status after finalizing. */
  readonly ending: BatchEnding | null;
  readonly problems: readonly BatchLineProblem[];
  readonly counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly usage: BatchUsage;
  readonly outputFileId: string | null;
  readonly errorFileId: string | null;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly reachedAt: Readonly<Partial<Record<BatchStatus, number>>>;
}

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
