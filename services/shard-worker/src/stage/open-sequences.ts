import { type RhoneError, toRhoneError } from "@rhone/common";
import type { TokenMatcher } from "@rhone/grammar";
import { PageTable } from "../kv-cache/pages.js";
import type { SequenceSampler } from "../sampling/sequence-sampler.js";
import { type DrawnToken, lastDrawn } from "../wire/drawn-token.js";
import type { SequenceOpen, SequenceReady, Span, SpanResult } from "../wire/step.js";

/** How the last stage comes by its samplers. */
export interface Samplers {
  /** Makes a sequence's sampler, which owns `matcher`. */
  open(open: SequenceOpen, matcher: TokenMatcher | null): SequenceSampler;
  /** Prepares a sequence's grammar while the stage does other things. Rejects when it is refused. */
  prepare(open: SequenceOpen, signal: AbortSignal): Promise<TokenMatcher | null>;
}

export interface OpenSequence {
  readonly table: PageTable;
  /** Null on a stage without the head, and while the sequence's grammar is not prepared. */
  sampler: SequenceSampler | null;
  /** What its last span drew. */
  drawn: DrawnToken | null;
  /** Why a token could not be drawn: none is drawn any more. */
  failure: RhoneError | null;
  /** Aborts when the sequence closes. */
  readonly closing: AbortController;
}

/** The sequences that are open on a stage. Owns their samplers. */
export class OpenSequences {
  readonly #pageSize: number;
  readonly #samplers: Samplers | null;
  readonly #open = new Map<number, OpenSequence>();
  #onReady: (ready: SequenceReady) => void = () => {};

  /** `samplers`: null on a stage without the head. */
  constructor(pageSize: number, samplers: Samplers | null) {
    this.#pageSize = pageSize;
    this.#samplers = samplers;
  }

  /** Closes every sequence. `onReady` is called for those that open from now on, once their grammars are prepared. */
  reset(onReady: (ready: SequenceReady) => void): void {
    this.closeAll();
    this.#onReady = onReady;
  }

  /**
   * Opens all or, when a sampler cannot be made, none. Grammars are prepared later. Throws what `Samplers.open` throws.
   */
  open(opens: readonly SequenceOpen[]): void {
    const opened: [SequenceOpen, OpenSequence][] = [];
    try {
      for (const open of opens) opened.push([open, this.#make(open)]);
    } catch (error) {
      for (const [, { sampler }] of opened) sampler?.close();
      throw error;
    }
    for (const [open, state] of opened) {
      this.#open.set(open.sequence, state);
      if (this.#samplers !== null && state.sampler === null) void this.#prepare(this.#samplers, open, state);
    }
  }

  get(sequence: number): OpenSequence | undefined {
    return this.#open.get(sequence);
  }

  /** The sampler of a sequence that may draw. Throws the error that ended its drawing. */
  sampler(sequence: number): SequenceSampler {
    const { sampler, failure } = this.#open.get(sequence) ?? {};
    if (failure != null) throw failure;
    if (sampler == null) throw new RangeError(`sequence ${sequence} can't draw: the step was not checked`);
    return sampler;
  }

  /** Remembers what a span has drawn; 0 in place of a token that could not be drawn: nobody reads what follows. */
  drew(span: Span, { tokens, error }: Pick<SpanResult, "tokens" | "error">): void {
    const open = this.#open.get(span.sequence);
    if (open === undefined) return;
    const drawn = tokens.map(({ token }) => token);
    open.drawn = lastDrawn(span, error === null ? drawn : [...drawn, 0]);
    open.failure = error;
  }

  close(sequence: number): void {
    const state = this.#open.get(sequence);
    this.#open.delete(sequence);
    state?.closing.abort();
    state?.sampler?.close();
  }

  closeAll(): void {
    for (const sequence of this.#open.keys()) this.close(sequence);
  }

  #make(open: SequenceOpen): OpenSequence {
    const sampler = open.constraint === null ? (this.#samplers?.open(open, null) ?? null) : null;
    const table = new PageTable(this.#pageSize);
    return { table, sampler, drawn: null, failure: null, closing: new AbortController() };
  }

  async #prepare(samplers: Samplers, open: SequenceOpen, state: OpenSequence): Promise<void> {
    const { sequence } = open;
    const { signal } = state.closing;
    try {
      const matcher = await samplers.prepare(open, signal);
      if (signal.aborted) return matcher?.close();
      state.sampler = samplers.open(open, matcher);
      this.#onReady({ sequence, error: null });
    } catch (error) {
      if (!signal.aborted) this.#onReady({ sequence, error: toRhoneError(error) });
    }
  }
}
