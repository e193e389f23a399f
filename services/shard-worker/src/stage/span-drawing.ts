import { RhoneError } from "@rhone/common";
import type { RowReading, RowRequest } from "@rhone/ggml";
import { pairsOf, type SequenceSampler } from "../sampling/sequence-sampler.js";
import type { Span, SpanResult, TokenScore } from "../wire/step.js";
import type { LogitRow } from "./last-rows.js";

/** A row that is about to be read, and who takes what was read. */
export interface AskedRow {
  readonly request: RowRequest;
  readonly take: (reading: RowReading) => void;
}

export type DrawingSampler = Pick<SequenceSampler, "request" | "accept">;

/**
 * What one span scores and draws, row after row. With drafts it stops at the first that is not the token that was
 * drawn, because the rows after it were computed with a wrong token. A RhoneError of its sampler ends this span alone.
 */
export class SpanDrawing {
  readonly #span: Span;
  readonly #sampler: () => DrawingSampler;
  readonly #rows: { readonly row: number; readonly of: LogitRow }[] = [];
  readonly #scores: TokenScore[] = [];
  readonly #tokens: TokenScore[] = [];
  #error: RhoneError | null = null;

  constructor(span: Span, sampler: () => DrawingSampler) {
    this.#span = span;
    this.#sampler = sampler;
  }

  /** Adds the span's next row, whose logits are row `row` of the step's. */
  add(row: number, of: LogitRow): void {
    this.#rows.push({ row, of });
  }

  /** The next rows, up to the first that draws: how those behind it draw depends on its token. */
  ask(): readonly AskedRow[] {
    const asked: AskedRow[] = [];
    for (let next = this.#rows.shift(); next !== undefined; next = this.#rows.shift()) {
      const request = this.#request(next.row, next.of);
      const { of } = next;
      if (request !== undefined) asked.push({ request, take: (reading) => this.#take(of, request, reading) });
      if (of.draws) break;
    }
    return asked;
  }

  result(pooled: Float32Array | null): SpanResult {
    const { sequence } = this.#span;
    return { sequence, tokens: this.#tokens, scores: this.#scores, pooled, error: this.#error };
  }

  #request(row: number, { target, draws, position }: LogitRow): RowRequest | undefined {
    const draw = draws ? this.#try(() => this.#sampler().request(position)) : undefined;
    if (draw === undefined && target === undefined) return undefined;
    const wanted = [draw?.alternatives, target === undefined ? undefined : this.#span.topTargets];
    const counts = wanted.filter((count) => count !== undefined);
    return { row, target, draw: draw?.draw, alternatives: counts.length === 0 ? undefined : Math.max(...counts) };
  }

  #take({ target, position, guess }: LogitRow, { draw }: RowRequest, reading: RowReading): void {
    if (target !== undefined) {
      const top = pairsOf(reading.top, this.#span.topTargets);
      this.#scores.push({ token: target, logprob: reading.targetLogprob, top });
    }
    if (draw === undefined) return;
    const drawn = this.#try(() => this.#sampler().accept(reading, position));
    if (drawn === undefined) return;
    this.#tokens.push(drawn);
    if (guess !== undefined && guess !== drawn.token) this.#rows.length = 0;
  }

  /** Undefined when `action` fails: the span's other rows say nothing then. */
  #try<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof RhoneError)) throw error;
      this.#error = error;
      this.#rows.length = 0;
      return undefined;
    }
  }
}
