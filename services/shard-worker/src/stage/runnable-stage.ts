import type { rhone } from "@rhone/proto";

/** What a stage makes of a step: activations for the next stage, or results for the coordinator. */
export type StageOutput =
  | { readonly kind: "hidden"; readonly bytes: Uint8Array }
  | { readonly kind: "results"; readonly spans: readonly rhone.v1.SpanResult.$Properties[] };

/** A loaded shard as its runner sees it. */
export interface RunnableStage {
  /** Forgets every sequence: a new epoch begins. */
  reset(): void;
  /** Runs one step; the runner waits for it before the next. `activations`: the type that the next stage expects. */
  run(step: rhone.v1.Step.$Properties, activations: rhone.v1.ActivationType): Promise<StageOutput>;
}
