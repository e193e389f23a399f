import { simulatedDraw } from "@rhone/common";
import type { PipelineTimes } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { StepLink } from "../engine/step-loop.js";
import type { VirtualClock } from "./virtual-clock.js";

type Step = rhone.v1.Step.$Properties;
type StepResult = rhone.v1.StepResult.$Properties;

export interface VirtualPipelineOptions {
  readonly clock: VirtualClock;
  readonly stages: number;
  readonly pages: number;
  readonly vocabSize: number;
  /** A step takes stageMs + rows * rowMs on each stage. */
  readonly stageMs: number;
  readonly rowMs: number;
  /** A frame's time from the coordinator to stage 0, from stage to stage, and back to the coordinator. */
  readonly hopMs: number;
  readonly onResult: (step: number, result: StepResult) => void;
}

interface VirtualFrame {
  readonly number: number;
  readonly step: Step;
  readonly timings: rhone.v1.StageTiming.$Properties[];
}

/** Stages and hops on a virtual clock. Each stage runs frames in order, one at a time; `simulatedDraw` draws tokens. */
export class VirtualPipeline implements StepLink {
  readonly stages: number;
  readonly pages: number;
  readonly stepTimes: PipelineTimes;
  readonly rowBlock = 32;
  readonly #options: VirtualPipelineOptions;
  /** When each stage has run every frame that has arrived. */
  readonly #freeAtMs: number[];
  /** The last token that each sequence drew. */
  readonly #drawn = new Map<number, number>();
  #steps = 0;

  constructor(options: VirtualPipelineOptions) {
    this.stages = options.stages;
    this.pages = options.pages;
    this.#options = options;
    this.stepTimes = stepTimesOf(options);
    this.#freeAtMs = new Array<number>(options.stages).fill(0);
  }

  send(step: Step): number {
    const frame: VirtualFrame = { number: ++this.#steps, step, timings: [] };
    this.#travel(0, frame);
    return frame.number;
  }

  #travel(stage: number, frame: VirtualFrame): void {
    const { clock, hopMs } = this.#options;
    clock.after(hopMs, () => {
      if (stage < this.stages) this.#run(stage, frame);
      else this.#options.onResult(frame.number, { spans: this.#draw(frame.step), timings: frame.timings });
    });
  }

  #run(stage: number, frame: VirtualFrame): void {
    const { clock, stageMs, rowMs } = this.#options;
    const rows = (frame.step.tokens?.byteLength ?? 0) / Int32Array.BYTES_PER_ELEMENT;
    const computeMs = rows === 0 ? 0 : stageMs + rows * rowMs;
    const freeAtMs = this.#freeAtMs[stage] ?? 0;
    const queuedMs = Math.max(0, freeAtMs - clock.nowMs);
    const idleMs = Math.max(0, clock.nowMs - freeAtMs);
    this.#freeAtMs[stage] = clock.nowMs + queuedMs + computeMs;
    frame.timings.push({ stage, queuedUs: queuedMs * 1000, computeUs: computeMs * 1000, idleUs: idleMs * 1000 });
    clock.after(queuedMs + computeMs, () => this.#travel(stage + 1, frame));
  }

  #draw({ spans, tokens, closes }: Step): rhone.v1.SpanResult.$Properties[] {
    const all = new Int32Array(Uint8Array.from(tokens ?? []).buffer);
    let row = 0;
    const results = (spans ?? []).map((span) => {
      const rows = all.subarray(row, row + (span.count ?? 0));
      row += rows.length;
      return this.#answer(span, rows);
    });
    for (const sequence of closes ?? []) this.#drawn.delete(sequence);
    return results;
  }

  #carried(sequence: number): number {
    const token = this.#drawn.get(sequence);
    if (token === undefined) throw new RangeError(`sequence ${sequence} is carried and has drawn nothing`);
    return token;
  }

  #answer(span: rhone.v1.Span.$Properties, tokens: Int32Array): rhone.v1.SpanResult.$Properties {
    const sequence = span.sequence ?? 0;
    if (span.carried === true) tokens[0] = this.#carried(sequence);
    const rows = { tokens, position: span.position ?? 0, drafts: span.drafts ?? 0 };
    const drawn = span.sample === true ? simulatedDraw(rows, this.#options.vocabSize) : [];
    const last = drawn.at(-1);
    if (last !== undefined) this.#drawn.set(sequence, last);
    return { sequence, tokens: drawn.map((token) => ({ token })) };
  }
}

/** The calibration that workers of these times would report, with each stage as one layer. */
function stepTimesOf({ stages, stageMs, rowMs }: VirtualPipelineOptions): PipelineTimes {
  const curve = [1, 64].map((rows) => ({ rows, layerMs: stageMs + rows * rowMs, headMs: 0 }));
  return Array.from({ length: stages }, () => ({ curve, layers: 1, heads: false }));
}
