import {
  type ErrorCode,
  type Finish,
  type GenerationEvent,
  type GenerationJob,
  type Timings,
  type TokenLogprob,
  type Usage,
  unpackBias,
} from "@rhone/common";
import type { Sequence } from "../scheduler/sequence.js";
import { Detokenizer } from "../text/detokenizer.js";
import type { PieceTable } from "../text/piece-table.js";
import { StopMatcher } from "../text/stop-matcher.js";
import type { RecordedGeneration } from "../token-log/recorded.js";
import type { SpanAnswer } from "../wire/decode-result.js";
import { PromptEmbedding } from "./prompt-embedding.js";

/** The served model's part in every generation. */
export interface GenerationRules {
  readonly contextLength: number;
  readonly vocabSize: number;
  /** Tokens that end a text unless the request ignores them. */
  readonly endTokens: ReadonlySet<number>;
  readonly pieces: PieceTable;
}

/** The output of one sequence: turns its tokens into text, ends it where it must, and numbers its events. */
export class Generation {
  readonly sequence: Sequence;
  readonly #rules: GenerationRules;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher;
  readonly #embedding: PromptEmbedding | null;
  readonly #timings: () => Timings | null;
  /** The text begins with a space that no stop string may match. */
  #hidesSpace: boolean;
  #generated = 0;
  /** The first generated token. */
  #first: number | undefined;
  #ordinal: number;
  /** Number of leading rows whose scores were given out. */
  #scored: number;

  constructor(options: {
    readonly sequence: Sequence;
    readonly rules: GenerationRules;
    readonly recorded: RecordedGeneration;
    /** What its phases took when it ends now; null, or absent: it is not known. */
    readonly timings?: () => Timings | null;
  }) {
    const { job } = options.sequence;
    const { tokens, ordinal, scored } = options.recorded;
    this.sequence = options.sequence;
    this.#rules = options.rules;
    this.#timings = options.timings ?? (() => null);
    this.#ordinal = ordinal;
    this.#scored = scored;
    this.#detokenizer = new Detokenizer(options.rules.pieces, { special: !job.skipSpecialTokens });
    this.#stops = new StopMatcher(job.stop, { include: job.includeStop });
    this.#hidesSpace = job.hiddenSpace;
    this.#embedding = job.pooling === null ? null : new PromptEmbedding();
    // The same tokens give the same text: replaying them restores what is held back.
    for (const token of tokens) this.#read(token);
  }

  get requestId(): string {
    return this.sequence.job.requestId;
  }

  /**
   * Takes in what the stages computed for one span. Returns the event of each drawn token up to the one that ends the
   * text; the last event carries `finish` when the generation has ended. Scores of the prompt are in the first event,
   * which is theirs alone when no token was drawn: 512 scores of each of 64 prompts, kept for one event, took 0.3 s to
   * write.
   */
  advance({ span, tokens, scores, pooled, error }: SpanAnswer): readonly GenerationEvent[] {
    const promptLogprobs = this.#newScores(span.position, scores);
    if (pooled !== null) this.#embedding?.add(span, pooled);
    const events: GenerationEvent[] = [];
    for (const score of tokens) {
      const { text, finish } = this.#read(score.token);
      events.push(this.#event({ score, text, finish, promptLogprobs: events.length === 0 ? promptLogprobs : [] }));
      if (finish !== undefined) return events;
    }
    if (error !== null) return [...events, this.end(failure(error.code, error.message))];
    const { job, prefillEnd } = this.sequence;
    const promptWasAll = job.maxTokens === 0 && span.position + span.count === prefillEnd;
    if (promptWasAll) return [this.#event({ text: this.#flush(), finish: { reason: "length" }, promptLogprobs })];
    return events.length === 0 && promptLogprobs.length > 0 ? [this.#event({ text: "", promptLogprobs })] : events;
  }

  /** The event that ends the generation without another token. */
  end(finish: Finish): GenerationEvent {
    return this.#event({ text: this.#flush(), finish });
  }

  /** The scores of the rows from `position` on, less those given out before: a prompt may be computed again. */
  #newScores(position: number, scores: readonly TokenLogprob[]): readonly TokenLogprob[] {
    const known = Math.max(0, this.#scored - position);
    this.#scored = Math.max(this.#scored, position + scores.length);
    return scores.slice(known);
  }

  #read(token: number): { readonly text: string; readonly finish?: Finish } {
    const { job } = this.sequence;
    this.#generated++;
    this.#first ??= token;
    const mayStop = this.#generated > job.minTokens;
    if (this.#isEnd(token, mayStop)) {
      const own = job.includeStop ? this.#detokenizer.push(token) : "";
      return {
        text: this.#stops.flush() + own + this.#detokenizer.flush(),
        finish: { reason: "stop", matched: token },
      };
    }
    const all = this.#detokenizer.push(token);
    const hidden = this.#hiddenIn(all);
    const visible = all.slice(hidden.length);
    const { text, matched } = mayStop ? this.#stops.push(visible) : { text: visible, matched: null };
    if (matched !== null) return { text: hidden + text, finish: { reason: "stop", matched } };
    if (!this.#isFull()) return { text: hidden + text };
    return { text: hidden + text + this.#flush(), finish: { reason: "length" } };
  }

  /** The space at the beginning of the first text that is not empty, where the client is not shown it. */
  #hiddenIn(text: string): string {
    if (!this.#hidesSpace || text === "") return "";
    this.#hidesSpace = false;
    return text.startsWith(" ") ? " " : "";
  }

  #isConstrained(): boolean {
    const { constraint } = this.sequence.job;
    if (constraint === null) return false;
    return constraint.trigger === null || constraint.otherwise !== null || constraint.trigger === this.#first;
  }

  /** A constrained text ends where its grammar does, whatever the request says about end tokens. */
  #isEnd(token: number, mayStop: boolean): boolean {
    const { job } = this.sequence;
    if (this.#isConstrained() && this.#rules.endTokens.has(token)) return true;
    if (!mayStop) return false;
    return (!job.ignoreEos && this.#rules.endTokens.has(token)) || job.stopTokenIds.includes(token);
  }

  #isFull(): boolean {
    const { job, promptLength } = this.sequence;
    return this.#generated >= job.maxTokens || promptLength + this.#generated >= this.#rules.contextLength;
  }

  #flush(): string {
    return this.#stops.flush() + this.#detokenizer.flush();
  }

  #event(what: {
    readonly score?: TokenLogprob;
    readonly text: string;
    readonly finish?: Finish | undefined;
    readonly promptLogprobs?: readonly TokenLogprob[];
  }): GenerationEvent {
    const { job } = this.sequence;
    const { score, text, finish, promptLogprobs = [] } = what;
    return {
      requestId: job.requestId,
      ordinal: this.#ordinal++,
      tokens: score === undefined ? [] : [score.token],
      text,
      ...(job.logprobs !== null && score !== undefined && { logprobs: [score] }),
      ...(promptLogprobs.length > 0 && { promptLogprobs }),
      ...(this.#embedding !== null && finish?.reason === "length" && { embedding: this.#embedding.toBase64() }),
      ...(finish !== undefined && this.#ending(finish)),
    };
  }

  #ending(finish: Finish): Pick<GenerationEvent, "finish" | "usage" | "timings"> {
    const timings = this.#timings();
    return { finish, usage: this.#usage(), ...(timings !== null && { timings }) };
  }

  #usage(): Usage {
    const { promptLength, cachedTokens } = this.sequence;
    return { promptTokens: promptLength, completionTokens: this.#generated, cachedTokens };
  }
}

/** Why a request is ended before it is queued, or null. */
export function refusalOf(
  { job, promptLength, prefillEnd }: Sequence,
  { contextLength, vocabSize }: Pick<GenerationRules, "contextLength" | "vocabSize">,
): Finish | null {
  const outside = tokenOutside(job, vocabSize);
  if (outside !== undefined) {
    const range = `0 to ${vocabSize - 1}; serve the same model file at the gateway and the coordinator`;
    return failure("INVALID_REQUEST", `Token ${outside} of the request is outside the vocabulary, ${range}.`);
  }
  if (promptLength > contextLength || (promptLength === contextLength && job.maxTokens > 0)) {
    const limit = `the model's context of ${contextLength} leaves no room to answer`;
    return failure("CONTEXT_LENGTH_EXCEEDED", `The prompt has ${promptLength} tokens; ${limit}.`);
  }
  if (job.deadlineAtMs <= Date.now()) {
    return failure("DEADLINE_EXCEEDED", "The request's deadline passed while it was in the queue.");
  }
  const readsPrompt = job.promptLogprobs !== null || job.pooling !== null;
  const nothingToCompute = job.maxTokens === 0 && (!readsPrompt || prefillEnd === 0);
  return nothingToCompute ? { reason: "length" } : null;
}

/** A token id that the stages can't look up. An end token that the vocabulary lacks is only never drawn. */
function tokenOutside({ promptIds, sampling, constraint }: GenerationJob, vocabSize: number): number | undefined {
  const lists = [promptIds, [constraint?.trigger ?? 0], unpackBias(sampling.logitBias).tokens];
  for (const list of lists) {
    // A bias may name every token: a loop takes a tenth of what `find` takes.
    for (let i = 0; i < list.length; i++) if ((list[i] as number) >= vocabSize) return list[i];
  }
  return undefined;
}

export function failure(code: ErrorCode, message: string): Finish {
  return { reason: "error", code, message };
}
