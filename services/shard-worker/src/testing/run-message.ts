import { GgmlType } from "@rhone/ggml";
import type { rhone } from "@rhone/proto";
import type { RunnableStage } from "../stage/runnable-stage.js";
import { readStep } from "../wire/read-step.js";
import type { StageOutput } from "../wire/step.js";

type StepMessage = rhone.v1.Step.$Properties;

/** Runs a `Step` message as a stage's runner does: reads and checks it first. */
export async function runMessage(
  stage: RunnableStage,
  message: StepMessage,
  activations: GgmlType = GgmlType.F32,
): Promise<StageOutput> {
  return stage.run(readStep(message, stage), activations);
}

/** Token ids as frames carry them: int32 little-endian. */
export const tokenBytes = (tokens: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(tokens).buffer);

/** Draws the most probable token, with everything else switched off. */
export const GREEDY = { temperature: 0, topP: 1, repetitionPenalty: 1 } as const;
