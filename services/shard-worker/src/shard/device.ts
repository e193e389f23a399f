import type { rhone } from "@rhone/proto";
import type { ModelFiles, ServedWeights } from "@rhone/weights";
import type { StepTime } from "../calibration/measure-steps.js";
import type { RunnableStage } from "../stage/stage.js";
import type { LoadOrder, WeightsOrder } from "../wire/read-order.js";

/** Of tensors that are compared with the coordinator's, fetched, or read into memory, in this order. */
export type LoadProgress = (phase: "check" | "fetch" | "load", bytes: number, totalBytes: number) => void;

export interface LoadRequest {
  readonly order: LoadOrder;
  /** Where the model's file is found. */
  readonly files: ModelFiles;
  /**
   * Called once at most, when the weights that are in memory already are taken and before others get memory: with the
   * bytes of these. A shard that it closes leaves what both have.
   */
  readonly makeRoom?: (bytes: number) => void;
  readonly onProgress: LoadProgress;
  readonly signal: AbortSignal;
}

export interface HoldRequest extends Pick<LoadRequest, "files" | "signal"> {
  readonly order: WeightsOrder;
}

/** A shard in memory. `close` frees weights and pages. */
export interface LoadedShard {
  readonly stage: RunnableStage;
  readonly weightBytes: number;
  readonly pageBytes: number;
  /** What it was read from, for others that lack it; null: nothing. */
  readonly given: Pick<ServedWeights, "file" | "tensors"> | null;
  /** Why a row's result may depend on the rows beside it, in words; empty: it does not. */
  readonly varies: string;
  /**
   * Times decode steps of these numbers of rows; empty when the shard cannot be timed. Call it while no step runs and
   * no page is in use.
   */
  readonly measure: (rows: readonly number[]) => Promise<readonly StepTime[]>;
  readonly close: () => void;
}

/** Weights in memory. */
export interface HeldWeights {
  readonly close: () => void;
}

/** What a worker computes with. */
export interface Device {
  /** What the coordinator is told about it. */
  readonly facts: Required<
    Pick<
      rhone.v1.Hello.$Properties,
      "engine" | "device" | "kernels" | "gflops" | "bandwidth" | "simulated" | "rowBlock"
    >
  >;
  /** Bytes of its own memory that were free when it was opened; null: it computes in the machine's. */
  readonly memoryFree: number | null;
  /** Of all weights in its memory. */
  readonly weightBytes: number;
  /** Throws OUT_OF_MEMORY, and what FetchedFiles.find and the readers of model files throw. */
  load(request: LoadRequest): Promise<LoadedShard>;
  /** Reads weights for loads to come, slowly, and leaves the cores to others. Throws as `load`. */
  hold(request: HoldRequest): Promise<HeldWeights>;
}
