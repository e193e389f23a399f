import type { Finish, TokenLogprob } from "@rhone/common";
import type { ChoiceEvent } from "../requests/merge-events.js";
import { type CompletionLogprobs, CompletionLogprobWriter, joinLogprobs, type Pieces } from "../text/logprobs.js";
import { promptLogprobs } from "../text/prompt-logprobs.js";
import { UsageCount, usageOf } from "../text/usage-count.js";
import { chunkTemplate } from "./chunk-template.js";
import type { Writer } from "./writer.js";

export interface CompletionPrompt {
  readonly ids: readonly number[];
  /** What an echo shows. */
  readonly text: string;
  /** The ids begin with a space that `text` has not: SentencePiece's. */
  readonly hiddenSpace: boolean;
}

export interface CompletionWriterOptions {
  readonly id: string;
  readonly created: number;
  readonly modelName: string;
  readonly fingerprint: string;
  readonly model: Pieces;
  readonly samples: number;
  /** One per choice. */
  readonly prompts: readonly CompletionPrompt[];
  readonly echo: boolean;
  /** Alternatives per token; null: no log-probabilities. */
  readonly logprobs: number | null;
  readonly promptLogprobs: number | null;
  readonly wantsTokenIds: boolean;
  readonly tokensAsIds: boolean;
  /** Usage so far on every chunk. */
  readonly runningUsage: boolean;
  readonly usageChunk: boolean;
}

interface Choice {
  /** The JSON of a chunk with nothing but text. */
  readonly plain: (text: string) => string;
  readonly ids: readonly number[];
  readonly promptText: string;
  readonly writer: CompletionLogprobWriter;
  readonly logprobs: CompletionLogprobs[];
  readonly tokens: number[];
  promptScores: readonly TokenLogprob[];
  text: string;
  begun: boolean;
  finish: Finish | undefined;
}

/** Writes /v1/completions. */
export class CompletionWriter implements Writer {
  readonly #options: CompletionWriterOptions;
  readonly #choices: readonly Choice[];
  readonly #usage: UsageCount;
  #open: number;

  constructor(options: CompletionWriterOptions) {
    this.#options = options;
    this.#open = options.prompts.length;
    this.#usage = new UsageCount(options.samples);
    this.#choices = options.prompts.map(({ ids, text, hiddenSpace }, index) => ({
      plain: chunkTemplate((content) => this.#chunk({ index, text: content, logprobs: null, finish_reason: null })),
      ids,
      promptText: text,
      writer: new CompletionLogprobWriter(options.model, options.echo && hiddenSpace),
      logprobs: [],
      tokens: [],
      promptScores: [],
      text: "",
      begun: false,
      finish: undefined,
    }));
  }

  get usage() {
    return this.#usage.toJson();
  }

  take({ choice: index, event }: ChoiceEvent): readonly string[] {
    const choice = this.#choices[index];
    if (choice === undefined) throw new RangeError(`No choice ${index}`);
    const { echo, wantsTokenIds } = this.#options;
    const isFirst = !choice.begun;
    choice.begun = true;
    const text = (isFirst && echo ? choice.promptText : "") + event.text;
    const logprobs = this.#logprobsOf(choice, event, isFirst);
    if (isFirst) choice.promptScores = event.promptLogprobs ?? [];
    choice.text += text;
    choice.tokens.push(...event.tokens);
    if (logprobs !== null) choice.logprobs.push(logprobs);
    if (event.finish !== undefined) this.#close(index, choice, event);
    const hasLogprobs = logprobs !== null && logprobs.tokens.length > 0;
    const hasIds = wantsTokenIds && event.tokens.length > 0;
    if (text === "" && event.finish === undefined && !hasLogprobs && !hasIds) return [];
    const { runningUsage } = this.#options;
    if (event.finish === undefined && logprobs === null && !wantsTokenIds && !runningUsage) return [choice.plain(text)];
    const chunk = {
      ...this.#chunk({
        index,
        text,
        logprobs,
        finish_reason: event.finish?.reason ?? null,
        ...(wantsTokenIds && { token_ids: event.tokens }),
        ...(wantsTokenIds && isFirst && { prompt_token_ids: choice.ids }),
      }),
      ...(runningUsage && { usage: this.#usageSoFar() }),
    };
    const isLast = event.finish !== undefined && this.#open === 0;
    return [JSON.stringify(isLast && !this.#options.usageChunk ? { ...chunk, usage: this.usage } : chunk)];
  }

  end(): readonly string[] {
    return this.#options.usageChunk ? [JSON.stringify({ ...this.#head(), choices: [], usage: this.usage })] : [];
  }

  whole(): unknown {
    const { logprobs, promptLogprobs: wanted, wantsTokenIds, model } = this.#options;
    return {
      ...this.#head(),
      choices: this.#choices.map((choice, index) => ({
        index,
        text: choice.text,
        logprobs: logprobs === null ? null : joinLogprobs(choice.logprobs),
        finish_reason: choice.finish?.reason ?? null,
        ...(wantsTokenIds && { token_ids: choice.tokens, prompt_token_ids: choice.ids }),
        ...(wanted !== null && { prompt_logprobs: promptLogprobs(model, best(choice.promptScores, wanted)) }),
      })),
      usage: this.usage,
    };
  }

  #logprobsOf(choice: Choice, event: ChoiceEvent["event"], isFirst: boolean): CompletionLogprobs | null {
    const { logprobs, echo } = this.#options;
    if (logprobs === null) return null;
    const [first] = choice.ids;
    const echoes = isFirst && echo && first !== undefined;
    const prompt = echoes ? [choice.writer.prompt(first, best(event.promptLogprobs ?? [], logprobs))] : [];
    return joinLogprobs([...prompt, choice.writer.generated(event.logprobs ?? [])]);
  }

  #close(index: number, choice: Choice, { finish, usage }: ChoiceEvent["event"]): void {
    choice.finish = finish;
    if (usage !== undefined) this.#usage.add(index, usage);
    this.#open--;
  }

  #chunk(choice: object) {
    return { ...this.#head(), choices: [choice] };
  }

  #usageSoFar() {
    const prompts = this.#choices.filter((_, index) => index % this.#options.samples === 0);
    return usageOf(
      prompts.reduce((sum, { ids }) => sum + ids.length, 0),
      this.#choices.reduce((sum, { tokens }) => sum + tokens.length, 0),
    );
  }

  #head() {
    const { id, created, modelName, fingerprint } = this.#options;
    return { id, object: "text_completion", created, model: modelName, system_fingerprint: fingerprint };
  }
}

/** With only the best `most` alternatives: prompts are scored once for all that asked. */
const best = (scores: readonly TokenLogprob[], most: number): readonly TokenLogprob[] =>
  scores.map((score) => ({ ...score, top: score.top.slice(0, most) }));
