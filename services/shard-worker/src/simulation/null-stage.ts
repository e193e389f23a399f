import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError, simulatedDraw, simulatedToken } from "@rhone/common";
import { rhone } from "@rhone/proto";
import { readTokens } from "../sampling/sequence-sampler.js";
import type { RunnableStage, StageOutput } from "../stage/runnable-stage.js";

type Step = rhone.v1.Step.$Properties;
type Span = rhone.v1.Span.$Properties;
type SpanResult = rhone.v1.SpanResult.$Properties;

/** The rule is certain of its token (log P = 0); any other is as good as impossible. */
const IMPOSSIBLE = -100;

export interface NullStageOptions {
  readonly vocabSize: number;
  readonly embeds: boolean;
  readonly heads: boolean;
  /** How long a step takes, in whole milliseconds; a timer of Node may add one. */
  readonly stageMs: number;
  /** Of the activations between stages. */
  readonly rowBytes: (type: rhone.v1.ActivationType) => number;
}

/** Takes frames as a real stage does and computes nothing. The last stage's tokens follow `simulatedToken`. */
export class NullStage implements RunnableStage {
  readonly #options: NullStageOptions;
  readonly #open = new Set<number>();

  constructor(options: NullStageOptions) {
    this.#options = options;
  }

  reset(): void {
    this.#open.clear();
  }

  close(): void {
    this.reset();
  }

  /** Throws STAGE_FAILED for frames that a real stage would refuse. */
  async run(step: Step, activations: rhone.v1.ActivationType): Promise<StageOutput> {
    const { heads, rowBytes, stageMs } = this.#options;
    for (const { sequence } of step.opens ?? []) this.#open.add(sequence ?? 0);
    const spans = step.spans ?? [];
    const rows = this.#countRows(spans);
    const tokens = readTokens(step.tokens);
    this.#check(step, { rows, tokens: tokens.length });
    if (rows > 0 && stageMs > 0) await sleep(stageMs);
    for (const sequence of step.closes ?? []) this.#open.delete(sequence);
    if (!heads) return { kind: "hidden", bytes: new Uint8Array(rows * rowBytes(activations)) };
    return { kind: "results", spans: this.#draw(spans, tokens) };
  }

  #countRows(spans: readonly Span[]): number {
    let rows = 0;
    for (const { sequence, count } of spans) {
      if (!this.#open.has(sequence ?? 0)) {
        throw new RhoneError("STAGE_FAILED", `Sequence ${sequence} was not opened on this stage.`);
      }
      rows += count ?? 0;
    }
    return rows;
  }

  #check({ hidden, hiddenType }: Step, { rows, tokens }: { readonly rows: number; readonly tokens: number }): void {
    const expected = this.#options.embeds ? 0 : rows * this.#options.rowBytes(hiddenType ?? 0);
    const bytes = hidden?.byteLength ?? 0;
    if (tokens === rows && bytes === expected) return;
    throw new RhoneError(
      "STAGE_FAILED",
      `A frame of ${rows} rows brought ${tokens} tokens and ${bytes} bytes of activations instead of ${expected}.`,
    );
  }

  #draw(spans: readonly Span[], tokens: Int32Array): readonly SpanResult[] {
    let row = 0;
    return spans.map((span) => {
      const first = row;
      row += span.count ?? 0;
      return this.#answer(span, tokens.subarray(first, row));
    });
  }

  /** As if every hidden state were all ones. */
  #sumOfOnes(rows: number): Uint8Array {
    const bytes = this.#options.rowBytes(rhone.v1.ActivationType.ACTIVATION_F32);
    return new Uint8Array(new Float32Array(bytes / Float32Array.BYTES_PER_ELEMENT).fill(rows).buffer);
  }

  #answer(span: Span, tokens: Int32Array): SpanResult {
    const { vocabSize } = this.#options;
    const [sequence, start, drafts] = [span.sequence ?? 0, span.position ?? 0, span.drafts ?? 0];
    const drawn = span.sample === true ? simulatedDraw({ tokens, position: start, drafts }, vocabSize) : [];
    return {
      sequence,
      tokens: drawn.map((token) => ({ token })),
      scores: (span.targets ?? []).map((target, row) => ({
        token: target,
        logprob: target === simulatedToken(tokens[row] ?? 0, start + row, vocabSize) ? 0 : IMPOSSIBLE,
      })),
      ...(span.pool === true && { pooled: this.#sumOfOnes(tokens.length) }),
    };
  }
}
