import type { GgmlType } from "@rhone/ggml";
import type { StepContext } from "../wire/read-step.js";
import type { StageOutput, Step } from "../wire/step.js";

/** A loaded shard as its runner sees it. */
export interface RunnableStage extends StepContext {
  /** Forgets every sequence: a new epoch begins. */
  reset(): void;
  /**
   * Runs one step that `readStep` has checked against this stage; the runner waits for it before the next.
   * `activations`: the type that the next stage expects.
   */
  run(step: Step, activations: GgmlType): Promise<StageOutput>;
}
