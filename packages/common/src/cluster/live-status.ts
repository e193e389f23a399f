import type { Lane } from "../lane.js";
import type { ClusterStatus, WorkerStatus } from "./cluster-status.js";

// What a gateway's GET /status/stream sends. Times are Unix milliseconds.

/** A pipeline without its workers' measured curves. */
export type LivePipeline = Omit<ClusterStatus, "workers"> & {
  readonly workers: readonly Omit<WorkerStatus, "stepTimes">[];
};

/** Choices of a model's lane that wait for a coordinator. */
export interface LiveQueue {
  readonly model: string;
  readonly lane: Lane;
  readonly waiting: number;
  /** How long the oldest of them has waited; 0 without one. */
  readonly oldestMs: number;
}

/** Something that happened to a cluster. Its id counts up. */
export interface ClusterEvent {
  readonly id: number;
  readonly atMs: number;
  readonly model: string;
  readonly kind: "pipeline" | "epoch" | "worker";
  readonly level: "info" | "warn" | "error";
  readonly text: string;
}

/** A second of all pipelines together, and of the requests of this gateway. */
export interface LiveSample {
  readonly atMs: number;
  /** Tokens per second. */
  readonly generated: number;
  readonly prompt: number;
  /** Median of the first tokens that came in this second; null: none came. */
  readonly firstTokenMs: number | null;
  readonly running: number;
  /** By lane, over all models. */
  readonly interactive: number;
  readonly batch: number;
}

/** A request that this gateway runs or ran, without its texts. */
export interface RecentRequest {
  /** Of the generation, which answers call `id`. */
  readonly id: string;
  readonly route: string;
  readonly model: string;
  /** Name of its API key; "" = nobody's. */
  readonly owner: string;
  /** "running", or as the metrics name outcomes: ok, cancelled, an error code. */
  readonly state: string;
  readonly choices: number;
  readonly stream: boolean;
  /** GET /v1/streams/ID reads its answer again. */
  readonly resumable: boolean;
  readonly arrivedAtMs: number;
  /** Read, checked, tokenized, and let in. */
  readonly prepareMs: number;
  /** From then on to its first token: queue and prefill; null: it has none. */
  readonly firstTokenMs: number | null;
  /** Of its first choice, as its coordinator measured it; null until it has ended. */
  readonly queuedMs: number | null;
  /** From the first token to the end, or until now; null: it has none. */
  readonly decodeMs: number | null;
  readonly promptTokens: number;
  /** Of the prompt, from the prefix cache; null until it has ended. */
  readonly cachedTokens: number | null;
  readonly completionTokens: number;
}

/** Who is told, and by whom: the first event, `hello`. */
export interface LiveHello {
  readonly gateway: {
    readonly version: string;
    readonly startedAtMs: number;
    readonly models: readonly string[];
    /** Requests need an API key. */
    readonly requiresKeys: boolean;
    /** host:port where machines join; null: nowhere that it knows of, or may tell. */
    readonly joinAddress: string | null;
  };
  readonly caller: {
    readonly name: string;
    /** Is told ids and addresses. */
    readonly seesInside: boolean;
    readonly isAdmin: boolean;
  };
  /** The last ten minutes, the oldest first. */
  readonly samples: readonly LiveSample[];
  readonly events: readonly ClusterEvent[];
  readonly requests: readonly RecentRequest[];
}

/** One second: the event `tick`. */
export interface LiveTick {
  readonly atMs: number;
  /** Why the state is not known, in words; the pipelines are then the last ones known. Null otherwise. */
  readonly problem: string | null;
  readonly pipelines: readonly LivePipeline[];
  readonly queues: readonly LiveQueue[];
  readonly sample: LiveSample;
  /** Since the last event that this reader got. */
  readonly events: readonly ClusterEvent[];
  /** Those that changed since. */
  readonly requests: readonly RecentRequest[];
}
