/** An answer, put together from its chunks or read whole; what does not depend on how it was cut. */
export interface Answer {
  readonly ids: readonly number[];
  readonly text: string;
  /** JSON of each token's log-probabilities, in order; none unless they were asked for. */
  readonly logprobs: readonly string[];
  /** Of each call, its function and arguments. */
  readonly calls: readonly string[];
  readonly finish: string | null;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

interface Call {
  readonly index?: number;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

interface Message {
  readonly content?: string | null;
  readonly tool_calls?: readonly Call[];
}

/** Of completions, by column; of chats, a list. */
interface Scores {
  readonly content?: readonly unknown[] | null;
  readonly tokens?: readonly string[];
  readonly token_logprobs?: readonly unknown[];
  readonly top_logprobs?: readonly unknown[];
}

interface Choice extends Partial<Record<"delta" | "message", Message>> {
  readonly text?: string;
  readonly token_ids?: readonly number[];
  readonly logprobs?: Scores | null;
  readonly finish_reason?: string | null;
}

/** A chunk of a streamed answer with one choice, or a whole answer. */
export interface Chunk {
  readonly choices?: readonly Choice[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly error?: unknown;
}

/** Puts chunks together. */
export class AnswerReader {
  readonly #ids: number[] = [];
  readonly #logprobs: string[] = [];
  readonly #calls: { name: string; text: string }[] = [];
  #text = "";
  #finish: string | null = null;
  #usage = { promptTokens: 0, completionTokens: 0 };

  /** The number of tokens that the chunk brought. */
  take({ choices = [], usage }: Chunk): number {
    if (usage != null) this.#usage = { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens };
    const [choice] = choices;
    if (choice === undefined) return 0;
    const { token_ids: ids = [], text = "", logprobs, finish_reason: finish, delta, message = delta } = choice;
    this.#ids.push(...ids);
    this.#text += text + (message?.content ?? "");
    this.#logprobs.push(...scoresOf(logprobs ?? {}));
    for (const [place, call] of (message?.tool_calls ?? []).entries()) this.#takeCall(call.index ?? place, call);
    if (finish != null) this.#finish = finish;
    return ids.length;
  }

  /** So far. */
  get tokens(): number {
    return this.#ids.length;
  }

  get answer(): Answer {
    return {
      ids: this.#ids,
      text: this.#text,
      logprobs: this.#logprobs,
      calls: this.#calls.map(({ name, text }) => `${name}(${text})`),
      finish: this.#finish,
      ...this.#usage,
    };
  }

  #takeCall(index: number, { function: { name = "", arguments: text = "" } = {} }: Call): void {
    const call = this.#calls[index] ?? { name: "", text: "" };
    this.#calls[index] = { name: call.name + name, text: call.text + text };
  }
}

export function answerOf(whole: Chunk): Answer {
  const reader = new AnswerReader();
  reader.take(whole);
  return reader.answer;
}

function scoresOf({ content, tokens = [], token_logprobs: ofTokens = [], top_logprobs: best = [] }: Scores) {
  const ofChat = (content ?? []).map((score) => JSON.stringify(score));
  return [...ofChat, ...tokens.map((token, index) => JSON.stringify([token, ofTokens[index], best[index]]))];
}
