import type { TokenLogprob } from "@rhone/common";
import { madeList } from "../write-in-turns.js";
import type { TextModel } from "./text-model.js";

export interface Pieces extends Pick<TextModel, "pieceBytes"> {
  /** Tokens are named `token_id:ID` instead of by their text. */
  readonly tokensAsIds?: boolean;
}

/** A token's text. Incomplete characters are written `bytes:\xe2\x96`, so that distinct tokens stay distinct. */
export function tokenText(model: Pieces, id: number): string {
  if (model.tokensAsIds === true) return `token_id:${id}`;
  const bytes = model.pieceBytes(id, { special: true });
  const text = bytes.toString("utf8");
  if (!text.includes("\ufffd")) return text;
  return `bytes:${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
}

/** One entry of `choices[].logprobs.content` of chats. */
export function chatLogprob(model: Pieces, { token, logprob, top }: TokenLogprob) {
  const entry = (token: number, logprob: number) => ({
    token: tokenText(model, token),
    logprob,
    bytes: [...model.pieceBytes(token, { special: true })],
  });
  return { ...entry(token, logprob), top_logprobs: top.map(([id, value]) => entry(id, value)) };
}

/** `choices[].logprobs.content` of a whole chat. */
export const chatLogprobs = (model: Pieces, scores: Iterable<TokenLogprob>) =>
  madeList(function* () {
    for (const score of scores) yield chatLogprob(model, score);
  });

export interface CompletionLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

/** Counts the characters before each token. */
class Offsets {
  readonly #model: Pieces;
  readonly #decoder = new TextDecoder();
  #offset: number;

  /** `hiddenSpace`: the first piece begins with a space that the shown text lacks. */
  constructor(model: Pieces, hiddenSpace: boolean) {
    this.#model = model;
    this.#offset = hiddenSpace ? -1 : 0;
  }

  /** Of the next token. */
  next(token: number): number {
    const before = this.#offset;
    this.#offset += this.#decoder.decode(this.#model.pieceBytes(token, { special: false }), { stream: true }).length;
    return Math.max(0, before);
  }
}

/** Writes the `logprobs` of one completion choice, part by part. */
export class CompletionLogprobWriter {
  readonly #model: Pieces;
  readonly #offsets: Offsets;

  /** `hiddenSpace`: the first piece begins with a space that the shown text lacks. */
  constructor(model: Pieces, hiddenSpace = false) {
    this.#model = model;
    this.#offsets = new Offsets(model, hiddenSpace);
  }

  /** The prompt's first token, which has no log-probability, because nothing comes before it. */
  first(token: number): CompletionLogprobs {
    return {
      tokens: [tokenText(this.#model, token)],
      token_logprobs: [null],
      top_logprobs: [null],
      text_offset: [this.#offsets.next(token)],
    };
  }

  /** Counts the characters of tokens that are not written again. */
  pass(logprobs: readonly TokenLogprob[]): void {
    for (const { token } of logprobs) this.#offsets.next(token);
  }

  /** Further tokens of the prompt, or generated ones. */
  scored(logprobs: readonly TokenLogprob[]): CompletionLogprobs {
    return {
      tokens: logprobs.map(({ token }) => tokenText(this.#model, token)),
      token_logprobs: logprobs.map(({ logprob }) => logprob),
      top_logprobs: logprobs.map((entry) => alternatives(this.#model, entry)),
      text_offset: logprobs.map(({ token }) => this.#offsets.next(token)),
    };
  }
}

/** The token itself comes last, so that it keeps its own value when another token has the same text. */
function alternatives(model: Pieces, { token, logprob, top }: TokenLogprob): Record<string, number> {
  // Without a prototype the object is a table from the start: half the time of 21 changes of its shape.
  const values: Record<string, number> = Object.create(null);
  for (const [id, value] of top) values[tokenText(model, id)] = value;
  values[tokenText(model, token)] = logprob;
  return values;
}

export interface ScoredTokens {
  /** The prompt's first token, where an echo begins with it. */
  readonly first: number | undefined;
  readonly scores: Iterable<TokenLogprob>;
  /** The first piece begins with a space that the shown text lacks. */
  readonly hiddenSpace: boolean;
}

/** The `logprobs` of a whole choice: what a `CompletionLogprobWriter` makes of its parts, made as it is written. */
export function completionLogprobs(model: Pieces, { first, scores, hiddenSpace }: ScoredTokens) {
  const listOf = <T>(of: (score: TokenLogprob) => T) =>
    madeList(function* () {
      if (first !== undefined) yield null;
      for (const score of scores) yield of(score);
    });
  const eachToken = <T>(use: () => (token: number) => T) =>
    madeList(function* () {
      const of = use();
      if (first !== undefined) yield of(first);
      for (const { token } of scores) yield of(token);
    });
  return {
    tokens: eachToken(() => (token) => tokenText(model, token)),
    token_logprobs: listOf(({ logprob }) => logprob),
    top_logprobs: listOf((score) => alternatives(model, score)),
    text_offset: eachToken(() => {
      const offsets = new Offsets(model, hiddenSpace);
      return (token) => offsets.next(token);
    }),
  };
}

export function joinLogprobs(parts: readonly CompletionLogprobs[]): CompletionLogprobs {
  return {
    tokens: parts.flatMap(({ tokens }) => tokens),
    token_logprobs: parts.flatMap(({ token_logprobs }) => token_logprobs),
    top_logprobs: parts.flatMap(({ top_logprobs }) => top_logprobs),
    text_offset: parts.flatMap(({ text_offset }) => text_offset),
  };
}

/** Ranks count from 1; null when the token is not among the requested alternatives. */
interface PromptLogprob {
  readonly logprob: number;
  readonly rank: number | null;
  readonly decoded_token: string;
}

/** vLLM's `prompt_logprobs`: nothing comes before the first token. `most`: alternatives of each, all when absent. */
export const promptLogprobs = (model: Pieces, scores: Iterable<TokenLogprob>, most?: number) =>
  madeList(function* () {
    yield null;
    for (const { top, ...score } of scores) yield promptLogprob(model, { ...score, top: top.slice(0, most) });
  });

/** One token: its score and the best alternatives, by token id. */
function promptLogprob(model: Pieces, { token, logprob, top }: TokenLogprob): Record<string, PromptLogprob> {
  const entry = (id: number, value: number, rank: number | null): [number, PromptLogprob] => [
    id,
    { logprob: value, rank, decoded_token: tokenText(model, id) },
  ];
  const own = top.findIndex(([id]) => id === token);
  const alternatives = top.map(([id, value], index) => entry(id, value, index + 1));
  return Object.fromEntries([...alternatives, entry(token, logprob, own === -1 ? null : own + 1)]);
}
