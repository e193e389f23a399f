import type { rhone } from "@rhone/proto";
import type { StepTime } from "../calibration/measure-steps.js";
import type { RunnableStage } from "../stage/runnable-stage.js";

export interface LoadRequest {
  readonly modelsDir: string | undefined;
  readonly load: rhone.v1.LoadShard.$Properties;
  readonly onProgress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

/** A shard in memory. `close` frees weights and pages. */
export interface LoadedShard {
  readonly stage: RunnableStage & { readonly close: () => void };
  readonly weightBytes: number;
  readonly pageBytes: number;
  /** Times steps of so many decode rows; call it while no step runs and no page holds anything. None: it can't be told. */
  readonly measure: (rows: readonly number[]) => Promise<readonly StepTime[]>;
  readonly close: () => void;
}

/** What a worker computes with. */
export interface Device {
  /** What the coordinator is told of it. */
  readonly facts: Pick<rhone.v1.Hello.$Properties, "engine" | "device" | "gflops" | "bandwidth" | "simulated">;
  /** Throws MODEL_NOT_FOUND, MODEL_MISMATCH, OUT_OF_MEMORY and what the readers of model files throw. */
  load(request: LoadRequest): Promise<LoadedShard>;
}
