import { setTimeout as sleep } from "node:timers/promises";
import { simulatedDraw, simulatedToken } from "@rhone/common";
import { GgmlType } from "@rhone/ggml";
import type { RunnableStage } from "../stage/stage.js";
import { type DrawnToken, lastDrawn } from "../wire/drawn-token.js";
import type { StepLimits } from "../wire/read-step.js";
import type { SequenceReady, Span, SpanResult, StageOutput, Step } from "../wire/step.js";

/** The rule is certain of its token (log P = 0); any other token is as good as impossible. */
const IMPOSSIBLE = -100;

export interface NullStageOptions {
  readonly limits: StepLimits;
  readonly heads: boolean;
  /** Duration of a step, in whole milliseconds; Node's timers may add one. */
  readonly stageMs: number;
  /** Whole microseconds that each row adds to it. */
  readonly rowUs: number;
}

/** Takes frames as a real stage does and computes nothing. The last stage's tokens follow `simulatedToken`. */
export class NullStage implements RunnableStage {
  readonly limits: StepLimits;
  readonly #options: NullStageOptions;
  /** Length of each open sequence's page table. */
  readonly #pages = new Map<number, number>();
  /** The last token that each of them drew. */
  readonly #drawn = new Map<number, DrawnToken>();
  #onReady: (ready: SequenceReady) => void = () => {};

  constructor(options: NullStageOptions) {
    this.limits = options.limits;
    this.#options = options;
  }

  pageCount(sequence: number): number | undefined {
    return this.#pages.get(sequence);
  }

  mayDraw(): boolean {
    return true;
  }

  drawn(sequence: number): DrawnToken | null {
    return this.#drawn.get(sequence) ?? null;
  }

  reset(onReady: (ready: SequenceReady) => void): void {
    this.#pages.clear();
    this.#drawn.clear();
    this.#onReady = onReady;
  }

  async run({ opens, spans, closes, rows, tokens }: Step, activations: GgmlType): Promise<StageOutput> {
    const { heads, limits, stageMs, rowUs } = this.#options;
    for (const { sequence, constraint } of opens) {
      this.#pages.set(sequence, 0);
      if (heads && constraint !== null) this.#onReady({ sequence, error: null });
    }
    for (const { sequence, pages } of spans) {
      this.#pages.set(sequence, (this.#pages.get(sequence) ?? 0) + pages.length);
    }
    const ms = Math.round(stageMs + (rows * rowUs) / 1000);
    if (rows > 0 && ms > 0) await sleep(ms);
    const results = heads ? this.#draw(spans, tokens) : [];
    for (const sequence of closes) {
      this.#pages.delete(sequence);
      this.#drawn.delete(sequence);
    }
    if (heads) return { kind: "results", spans: results };
    const bytes = new Uint8Array(rows * limits.rowBytes(activations));
    return { kind: "hidden", hidden: { type: activations, bytes } };
  }

  #draw(spans: readonly Span[], tokens: Int32Array): readonly SpanResult[] {
    let row = 0;
    return spans.map((span) => {
      const first = row;
      row += span.count;
      return this.#answer(span, tokens.subarray(first, row));
    });
  }

  #answer({ sequence, position, sample, drafts, targets, pool }: Span, tokens: Int32Array): SpanResult {
    const { vocabSize } = this.limits;
    const drawn = sample ? simulatedDraw({ tokens, position, drafts }, vocabSize) : [];
    const last = lastDrawn({ position, count: tokens.length, drafts }, drawn);
    if (last !== null) this.#drawn.set(sequence, last);
    const scores = targets.map((target, row) => ({
      token: target,
      logprob: target === simulatedToken(tokens[row] ?? 0, position + row, vocabSize) ? 0 : IMPOSSIBLE,
      top: [],
    }));
    return {
      sequence,
      tokens: drawn.map((token) => ({ token, logprob: null, top: [] })),
      scores,
      pooled: pool ? this.#sumOfOnes(tokens.length) : null,
      error: null,
    };
  }

  /** As if every hidden state were all ones. */
  #sumOfOnes(rows: number): Float32Array {
    return new Float32Array(this.limits.rowBytes(GgmlType.F32) / Float32Array.BYTES_PER_ELEMENT).fill(rows);
  }
}
