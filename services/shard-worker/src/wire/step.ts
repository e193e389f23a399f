import type { RhoneError } from "@rhone/common";
import type { GgmlType, LogitBias } from "@rhone/ggml";

/** One micro-batch as a stage runs it: the `Step` message of the wire, with every field present and checked. */
export interface Step {
  readonly copies: readonly PageCopy[];
  readonly opens: readonly SequenceOpen[];
  readonly spans: readonly Span[];
  /** Sequences that end with this step. */
  readonly closes: readonly number[];
  /** Rows of all spans together. */
  readonly rows: number;
  /** i32 [rows]: each row's token, in the order of the spans; on every stage, because the last one compares drafts. */
  readonly tokens: Int32Array;
  /** The previous stage's activations; null on the stage that embeds the tokens. */
  readonly hidden: Activations | null;
}

/**
 * Hidden states between stages, [rows, dim] (ne [dim, rows]), in the order of the spans. What a stage reads borrows the
 * bytes of the frame.
 */
export interface Activations {
  readonly type: GgmlType;
  readonly bytes: Uint8Array;
}

/** Copies the K/V of page `from` to page `to`, in every layer. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

/** Rows for positions [position, position + count) of one sequence. */
export interface Span {
  readonly sequence: number;
  readonly position: number;
  readonly count: number;
  /** Page ids to append to the sequence's page table before the rows run. */
  readonly pages: readonly number[];
  /** The first entry of the page table whose page is still allocated. */
  readonly firstPage: number;
  /** Draw the token after the last row. */
  readonly sample: boolean;
  /** Number of rows at the end that hold drafts: guesses at the tokens that the rows before them draw. */
  readonly drafts: number;
  /** Score these tokens: the first against row 0, and so on; at most `count`. */
  readonly targets: readonly number[];
  /** Alternatives to report with each score. */
  readonly topTargets: number;
  /** Return the sum of the rows' hidden states after the final norm. */
  readonly pool: boolean;
}

export interface SequenceOpen {
  readonly sequence: number;
  readonly sampling: Sampling;
  /** Prompt tokens; empty unless the repetition penalty looks at them. */
  readonly history: Int32Array;
  /** Tokens generated before this epoch. */
  readonly generated: Int32Array;
  readonly constraint: Constraint | null;
  /** Id of the API key that asked for it; "" without keys. */
  readonly owner: string;
}

/** How the last stage draws a sequence's tokens. Proto field comments say which value switches a setting off. */
export interface Sampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  readonly seed: number;
  /** Added to the logits, by token id. */
  readonly logitBias: LogitBias;
  /** Alternatives to report with each drawn token's log-probability; null: no log-probability. */
  readonly logprobs: number | null;
  /** Tokens that no row below `minPosition` may draw. */
  readonly banned: readonly number[];
  readonly minPosition: number;
}

export interface Constraint {
  /** EBNF with a rule `root`. */
  readonly grammar: string;
  /** The grammar holds only after this token, which must come first; null: from the first token on. */
  readonly trigger: number | null;
  /** EBNF of a text that begins with another token than the trigger; null: any text. */
  readonly otherwise: string | null;
  /** Position of the last token that may be generated; the text is led to its end before. */
  readonly lastPosition: number;
}

/** A stage's answer to a step: activations for the next stage, or on the last one results for the coordinator. */
export type StageOutput =
  | { readonly kind: "hidden"; readonly hidden: Activations }
  | { readonly kind: "results"; readonly spans: readonly SpanResult[] };

export interface SpanResult {
  readonly sequence: number;
  /** None unless the span samples, else one, plus one for each draft that was right; fewer with an `error`. */
  readonly tokens: readonly TokenScore[];
  /** One per target. */
  readonly scores: readonly TokenScore[];
  /** f32 [dim]; null unless the span pools. */
  readonly pooled: Float32Array | null;
  /** Why the sequence's next token could not be drawn, or null. */
  readonly error: RhoneError | null;
}

/** A constrained sequence may draw from now on, or never will. */
export interface SequenceReady {
  readonly sequence: number;
  /** Why its grammar was refused; null when it is ready. */
  readonly error: RhoneError | null;
}

export interface TokenScore {
  readonly token: number;
  /** Natural logarithm of its probability in the unmodified distribution; null when not asked for. */
  readonly logprob: number | null;
  /** The most probable tokens, best first: [token, log-probability]. */
  readonly top: readonly (readonly [token: number, logprob: number])[];
}
