import { simulatedToken } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { StepLink } from "../engine.js";
import type { VirtualClock } from "./virtual-clock.js";

type Step = rhone.v1.Step.$Properties;
type StepResult = rhone.v1.StepResult.$Properties;

export interface VirtualPipelineOptions {
  readonly clock: VirtualClock;
  readonly stages: number;
  readonly pages: number;
  readonly vocabSize: number;
  /** Per step on every stage. */
  readonly stageMs: number;
  /** From the coordinator to stage 0, from stage to stage, and back to the coordinator. */
  readonly hopMs: number;
  readonly onResult: (step: number, result: StepResult) => void;
}

/** Stages and hops on a virtual clock: each stage takes frames in order, one at a time; answers follow `simulatedToken`. */
export class VirtualPipeline implements StepLink {
  readonly stages: number;
  readonly pages: number;
  readonly #options: VirtualPipelineOptions;
  /** When each stage is done with all that has arrived. */
  readonly #freeAtMs: number[];
  #steps = 0;

  constructor(options: VirtualPipelineOptions) {
    this.stages = options.stages;
    this.pages = options.pages;
    this.#options = options;
    this.#freeAtMs = new Array<number>(options.stages).fill(0);
  }

  send(step: Step): number {
    const number = ++this.#steps;
    this.#travel(0, number, step);
    return number;
  }

  #travel(stage: number, number: number, step: Step): void {
    const { clock, hopMs } = this.#options;
    clock.after(hopMs, () => {
      if (stage === this.stages) this.#options.onResult(number, this.#answer(step));
      else this.#run(stage, number, step);
    });
  }

  #run(stage: number, number: number, step: Step): void {
    const { clock, stageMs } = this.#options;
    const computeMs = (step.spans ?? []).length === 0 ? 0 : stageMs;
    const doneAtMs = Math.max(clock.nowMs, this.#freeAtMs[stage] ?? 0) + computeMs;
    this.#freeAtMs[stage] = doneAtMs;
    clock.after(doneAtMs - clock.nowMs, () => this.#travel(stage + 1, number, step));
  }

  #answer({ spans, tokens }: Step): StepResult {
    const rows = new Int32Array(Uint8Array.from(tokens ?? []).buffer);
    let row = 0;
    return {
      spans: (spans ?? []).map(({ sequence, position: start, count, sample }) => {
        row += count ?? 0;
        const position = (start ?? 0) + (count ?? 0) - 1;
        const token = simulatedToken(rows[row - 1] ?? 0, position, this.#options.vocabSize);
        return { sequence: sequence ?? 0, position, ...(sample === true && { token: { token } }) };
      }),
    };
  }
}
