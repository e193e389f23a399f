import type { rhone } from "@rhone/proto";
import type { StepLink } from "../engine/step-loop.js";
import { FakeStage, type FakeStageShape } from "./fake-stage.js";

interface Frame {
  readonly number: number;
  readonly step: rhone.v1.Step.$Properties;
  readonly result: rhone.v1.StepResult.$Properties;
}

/** Stages in a row without a network. The test chooses which of them runs next, and so plays any latency. */
export class FakePipe implements StepLink {
  readonly stages: number;
  readonly pages: number;
  readonly stepTimes = null;
  readonly rowBlock = 32;
  readonly #stages: readonly { readonly stage: FakeStage; readonly queue: Frame[] }[];
  /** Rows of each step so far. */
  readonly sentRows: number[] = [];
  /** Rows so far that were sent ahead of their tokens. */
  carried = 0;
  readonly #stepMs: ((rows: number) => number) | undefined;
  readonly #onResult: (step: number, result: rhone.v1.StepResult.$Properties) => void;
  #step = 0;

  constructor(options: {
    readonly stages: number;
    readonly shape: FakeStageShape;
    /** The times that the stages report for a step; they report none when absent. */
    readonly stepMs?: ((rows: number) => number) | undefined;
    readonly onResult: (step: number, result: rhone.v1.StepResult.$Properties) => void;
  }) {
    this.stages = options.stages;
    this.pages = options.shape.pages;
    this.#onResult = options.onResult;
    this.#stepMs = options.stepMs;
    this.#stages = Array.from({ length: options.stages }, () => ({ stage: new FakeStage(options.shape), queue: [] }));
  }

  /** Stages that have a frame to run. */
  get busy(): readonly number[] {
    return this.#stages.flatMap(({ queue }, index) => (queue.length > 0 ? [index] : []));
  }

  get openSequences(): number {
    return Math.max(...this.#stages.map(({ stage }) => stage.openSequences));
  }

  /** Sequences that wait for their grammars on the last stage. */
  get preparing(): readonly number[] {
    return this.#stages.at(-1)?.stage.preparing ?? [];
  }

  /** The last stage has prepared a sequence's grammar. */
  prepare(sequence: number): void {
    for (const { stage } of this.#stages) stage.prepare(sequence);
  }

  /** The step that a stage runs next. */
  next(index: number): rhone.v1.Step.$Properties | undefined {
    return this.#stages[index]?.queue[0]?.step;
  }

  send(step: rhone.v1.Step.$Properties): number {
    this.sentRows.push(rowsOf(step));
    this.carried += (step.spans ?? []).filter(({ carried }) => carried === true).length;
    this.#stages[0]?.queue.push({ number: ++this.#step, step, result: {} });
    return this.#step;
  }

  /** Lets one stage run its next frame and pass it on. */
  advance(index: number): void {
    const entry = this.#stages[index];
    const frame = entry?.queue.shift();
    if (entry === undefined || frame === undefined) return;
    const result = entry.stage.run(frame.step);
    const next = this.#stages[index + 1];
    if (next === undefined) this.#onResult(frame.number, { ...result, timings: this.#timings(frame.step) });
    else next.queue.push({ ...frame, result });
  }

  #timings(step: rhone.v1.Step.$Properties): rhone.v1.StageTiming.$Properties[] {
    const stepMs = this.#stepMs;
    if (stepMs === undefined) return [];
    return this.#stages.map((_, stage) => ({ stage, computeUs: stepMs(rowsOf(step)) * 1000 }));
  }
}

function rowsOf({ spans }: rhone.v1.Step.$Properties): number {
  return (spans ?? []).reduce((sum, { count }) => sum + (count ?? 0), 0);
}
