import type { TokenLogprob } from "@rhone/common";
import { madeList } from "../write-in-turns.js";
import { type ShownScore, shownScores, type WholeAnswer, withoutSpace } from "./shown-scores.js";
import type { TextModel } from "./text-model.js";

export interface Pieces extends Pick<TextModel, "pieceBytes"> {
  /** Tokens are named `token_id:ID` instead of by their text. */
  readonly tokensAsIds?: boolean;
}

/**
 * A token's text. Incomplete characters are written `bytes:\xe2\x96`, so that distinct tokens stay distinct. `bytes`:
 * the part of the token that is meant.
 */
export function tokenText(model: Pieces, id: number, bytes: Uint8Array = bytesOf(model, id)): string {
  if (model.tokensAsIds === true) return `token_id:${id}`;
  const text = Buffer.from(bytes).toString("utf8");
  if (!text.includes("\ufffd")) return text;
  return `bytes:${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
}

const bytesOf = (model: Pieces, id: number): Uint8Array => model.pieceBytes(id, { special: true });

/** One entry of `choices[].logprobs.content` of chats. */
export function chatLogprob(model: Pieces, { score, bytes, lacksSpace }: ShownScore) {
  const entry = (id: number, logprob: number, bytes: Uint8Array) => ({
    token: tokenText(model, id, bytes),
    logprob,
    bytes: [...bytes],
  });
  const alternative = (id: number) => (lacksSpace ? withoutSpace(bytesOf(model, id)) : bytesOf(model, id));
  return {
    ...entry(score.token, score.logprob, bytes),
    top_logprobs: score.top.map(([id, value]) => entry(id, value, alternative(id))),
  };
}

/** The entries of tokens that are all shown. */
export const chatLogprobs = (model: Pieces, shown: Iterable<ShownScore>) =>
  madeList(function* () {
    for (const each of shown) yield chatLogprob(model, each);
  });

/** The entries of tokens as they are shown. A token that is not, such as an end token, has none. */
export const shownChatLogprobs = (model: Pieces, shown: readonly ShownScore[]) =>
  shown.filter(({ bytes }) => bytes.length > 0).map((each) => chatLogprob(model, each));

/** `choices[].logprobs.content` of a whole chat. */
export const wholeChatLogprobs = (model: Pieces, answer: WholeAnswer) =>
  madeList(function* () {
    for (const shown of shownScores(model, answer)) yield* shownChatLogprobs(model, [shown]);
  });

export interface CompletionLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

/** Counts the code points before each token. */
class Offsets {
  readonly #model: Pieces;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #offset: number;

  /** `hiddenSpace`: the first piece begins with a space that the shown text lacks. */
  constructor(model: Pieces, hiddenSpace: boolean) {
    this.#model = model;
    this.#offset = hiddenSpace ? -1 : 0;
  }

  /** Of the next token. */
  next({ id, special }: CompletionToken): number {
    const before = this.#offset;
    const text = this.#decoder.decode(this.#model.pieceBytes(id, { special }), { stream: true });
    for (const _ of text) this.#offset++;
    return Math.max(0, before);
  }
}

/** A token of a completion or of its echo, as `logprobs` lists it. */
export interface CompletionToken {
  readonly id: number;
  readonly name: string;
  /** null for the prompt's first token: nothing comes before it. */
  readonly score: TokenLogprob | null;
  /** A control token is shown by its name. */
  readonly special: boolean;
}

/** A token of the prompt. `score`: null for the first. */
export const promptToken = (model: Pieces, id: number, score: TokenLogprob | null): CompletionToken => ({
  id,
  name: tokenText(model, id),
  score,
  special: false,
});

/** A generated token. One that is not shown, such as an end token, is listed by its name. */
export const answerToken = (model: Pieces, { score, bytes }: ShownScore, special: boolean): CompletionToken => ({
  id: score.token,
  name: bytes.length > 0 ? tokenText(model, score.token, bytes) : tokenText(model, score.token),
  score,
  special,
});

/** Writes the `logprobs` of one completion choice, part by part. */
export class CompletionLogprobWriter {
  readonly #model: Pieces;
  readonly #offsets: Offsets;

  /** `hiddenSpace`: the first piece begins with a space that the shown text lacks. */
  constructor(model: Pieces, hiddenSpace = false) {
    this.#model = model;
    this.#offsets = new Offsets(model, hiddenSpace);
  }

  /** Counts the characters of tokens that are not written again. */
  pass(tokens: readonly CompletionToken[]): void {
    for (const token of tokens) this.#offsets.next(token);
  }

  write(tokens: readonly CompletionToken[]): CompletionLogprobs {
    return {
      tokens: tokens.map(({ name }) => name),
      token_logprobs: tokens.map(logprobOf),
      top_logprobs: tokens.map((token) => alternatives(this.#model, token)),
      text_offset: tokens.map((token) => this.#offsets.next(token)),
    };
  }
}

const logprobOf = ({ score }: CompletionToken): number | null => score?.logprob ?? null;

/** The token itself comes last, so that it keeps its own value when another token has the same text. */
function alternatives(model: Pieces, { name, score }: CompletionToken): Record<string, number> | null {
  if (score === null) return null;
  // Without a prototype the object is a table from the start: half the time of 21 changes of its shape.
  const values: Record<string, number> = Object.create(null);
  for (const [id, value] of score.top) values[tokenText(model, id)] = value;
  values[name] = score.logprob;
  return values;
}

export interface WholeCompletion {
  /** The prompt's first token, where an echo begins with it. */
  readonly first: number | undefined;
  /** Of the prompt's other tokens, where an echo shows them. */
  readonly prompt: Iterable<TokenLogprob>;
  readonly answer: WholeAnswer;
  /** The first piece begins with a space that the shown text lacks. */
  readonly hiddenSpace: boolean;
}

/** The `logprobs` of a whole choice: what a `CompletionLogprobWriter` makes of its parts, made as it is written. */
export function completionLogprobs(model: Pieces, whole: WholeCompletion) {
  const listOf = <T>(use: () => (token: CompletionToken) => T) =>
    madeList(function* () {
      const of = use();
      for (const token of tokensOf(model, whole)) yield of(token);
    });
  return {
    tokens: listOf(
      () =>
        ({ name }) =>
          name,
    ),
    token_logprobs: listOf(() => logprobOf),
    top_logprobs: listOf(() => (token) => alternatives(model, token)),
    text_offset: listOf(() => {
      const offsets = new Offsets(model, whole.hiddenSpace);
      return (token) => offsets.next(token);
    }),
  };
}

function* tokensOf(model: Pieces, { first, prompt, answer }: WholeCompletion): Generator<CompletionToken, void> {
  if (first !== undefined) yield promptToken(model, first, null);
  for (const score of prompt) yield promptToken(model, score.token, score);
  for (const shown of shownScores(model, answer)) yield answerToken(model, shown, answer.special);
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
