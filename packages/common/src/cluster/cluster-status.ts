import type { KvTypeName } from "../config/schemas.js";

export type PipelineState = "waiting_for_workers" | "loading" | "probing" | "ready" | "failed";

/** Milliseconds that a worker measured for one layer, and for the head, in a step of so many decode rows. */
export interface StepTimeStatus {
  readonly rows: number;
  readonly layerMs: number;
  readonly headMs: number;
}

export interface WorkerStatus {
  readonly worker: string;
  readonly address: string;
  /** host:port of its /metrics, /status, /health, /ready. */
  readonly operations: string;
  readonly hostname: string;
  readonly pid: number;
  readonly device: string;
  readonly threads: number;
  /** Bytes that the worker may use, and that its process holds now. */
  readonly memoryTotal: number;
  readonly resident: number;
  /** Layers [first, last) that it holds, or null while it is a spare. */
  readonly layers: readonly [first: number, last: number] | null;
  /** Bytes of weights loaded so far, and in all. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Bytes of its K/V pages. */
  readonly pageBytes: number;
  /** Null until it has timed its layers. `alone`: while the other workers of its machine rested. */
  readonly stepTimes: {
    readonly curve: readonly StepTimeStatus[];
    readonly alone: readonly StepTimeStatus[];
  } | null;
  /** Share of the last second spent computing, 0 to 1. */
  readonly busy: number;
}

export interface ServedModel {
  readonly name: string;
  readonly path: string;
  /** SHA-256 of the GGUF header. */
  readonly fingerprint: string;
  /** Most positions of one sequence, prompt and generated together. */
  readonly contextLength: number;
  /** Positions a token sees, itself included; null = all. */
  readonly slidingWindow: number | null;
  readonly vocabSize: number;
  readonly nLayers: number;
  readonly parameters: number;
  readonly fileBytes: number;
}

/** Tokens since the coordinator started. */
export interface TokenCounts {
  /** Of accepted requests' prompts; and what the prefix cache had of those that ended. */
  readonly prompt: number;
  readonly cached: number;
  readonly generated: number;
  /** Guessed ahead, and how many of the guesses were right. */
  readonly drafted: number;
  readonly accepted: number;
}

/** What a coordinator publishes each second: the truth behind /ready, /v1/models and `rhone status`. */
export interface ClusterStatus {
  readonly coordinator: string;
  /** host:port of its /metrics, /status, /health, /ready. */
  readonly operations: string;
  /** Unix milliseconds. */
  readonly updatedAtMs: number;
  readonly startedAtMs: number;
  readonly state: PipelineState;
  /** Why it is not ready, in words, or null. */
  readonly reason: string | null;
  readonly model: ServedModel;
  /** Its workers compute nothing; the tokens follow a rule. */
  readonly simulated: boolean;
  readonly epoch: number;
  readonly kvType: KvTypeName;
  readonly workers: readonly WorkerStatus[];
  readonly pages: { readonly size: number; readonly total: number; readonly free: number; readonly cached: number };
  readonly sequences: { readonly running: number; readonly waiting: number; readonly limit: number };
  readonly tokens: TokenCounts;
}
