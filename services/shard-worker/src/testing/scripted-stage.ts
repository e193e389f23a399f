import type { GgmlType } from "@rhone/ggml";
import type { RunnableStage } from "../stage/stage.js";
import type { StepLimits } from "../wire/read-step.js";
import type { SequenceReady, StageOutput, Step } from "../wire/step.js";

/** A stage that runs what the test says. Its sequences are always open, with 4 pages each. */
export class ScriptedStage implements RunnableStage {
  readonly limits: StepLimits;
  /** Steps that it was given, by their first token. */
  readonly ran: number[] = [];
  resets = 0;
  /** As the last `reset` gave it. */
  onReady: (ready: SequenceReady) => void = () => {};
  readonly #run: (step: Step, activations: GgmlType) => StageOutput | Promise<StageOutput>;

  constructor(
    run: (step: Step, activations: GgmlType) => StageOutput | Promise<StageOutput>,
    limits: Partial<StepLimits> = {},
  ) {
    this.#run = run;
    this.limits = {
      embeds: true,
      vocabSize: 1000,
      pages: 8,
      pageSize: 32,
      slidingWindow: 0,
      maxRows: 16,
      rowBytes: () => 4,
      ...limits,
    };
  }

  pageCount(): number {
    return 4;
  }

  mayDraw(): boolean {
    return true;
  }

  drawn(): null {
    return null;
  }

  reset(onReady: (ready: SequenceReady) => void): void {
    this.resets++;
    this.onReady = onReady;
  }

  async run(step: Step, activations: GgmlType): Promise<StageOutput> {
    this.ran.push(step.tokens[0] ?? -1);
    return this.#run(step, activations);
  }
}
