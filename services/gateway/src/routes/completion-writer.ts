import type { Finish } from "@rhone/common";
import { chunkTemplate } from "../api/chunk-template.js";
import type { ChoiceEvent } from "../queue/merge-events.js";
import { type CompletionLogprobs, CompletionLogprobWriter, joinLogprobs } from "../text/logprobs.js";
import type { TextModel } from "../text/text-model.js";
import { UsageCount } from "../text/usage-count.js";
import type { Writer } from "./answer.js";

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
  readonly model: TextModel;
  readonly samples: number;
  /** One per choice. */
  readonly prompts: readonly CompletionPrompt[];
  readonly echo: boolean;
  readonly wantsLogprobs: boolean;
  readonly wantsTokenIds: boolean;
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
    choice.text += text;
    choice.tokens.push(...event.tokens);
    if (logprobs !== null) choice.logprobs.push(logprobs);
    if (event.finish !== undefined) this.#close(index, choice, event);
    const hasLogprobs = logprobs !== null && logprobs.tokens.length > 0;
    const hasIds = wantsTokenIds && event.tokens.length > 0;
    if (text === "" && event.finish === undefined && !hasLogprobs && !hasIds) return [];
    if (event.finish === undefined && logprobs === null && !wantsTokenIds) return [choice.plain(text)];
    const chunk = this.#chunk({
      index,
      text,
      logprobs,
      finish_reason: event.finish?.reason ?? null,
      ...(wantsTokenIds && { token_ids: event.tokens }),
      ...(wantsTokenIds && isFirst && { prompt_token_ids: choice.ids }),
    });
    const isLast = event.finish !== undefined && this.#open === 0;
    return [JSON.stringify(isLast && !this.#options.usageChunk ? { ...chunk, usage: this.usage } : chunk)];
  }

  end(): readonly string[] {
    return this.#options.usageChunk ? [JSON.stringify({ ...this.#head(), choices: [], usage: this.usage })] : [];
  }

  whole(): unknown {
    const { wantsLogprobs, wantsTokenIds } = this.#options;
    return {
      ...this.#head(),
      choices: this.#choices.map((choice, index) => ({
        index,
        text: choice.text,
        logprobs: wantsLogprobs ? joinLogprobs(choice.logprobs) : null,
        finish_reason: choice.finish?.reason ?? null,
        ...(wantsTokenIds && { token_ids: choice.tokens, prompt_token_ids: choice.ids }),
      })),
      usage: this.usage,
    };
  }

  #logprobsOf(choice: Choice, event: ChoiceEvent["event"], isFirst: boolean): CompletionLogprobs | null {
    if (!this.#options.wantsLogprobs) return null;
    const [first] = choice.ids;
    const echoes = isFirst && this.#options.echo && first !== undefined;
    const prompt = echoes ? [choice.writer.prompt(first, event.promptLogprobs ?? [])] : [];
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

  #head() {
    const { id, created, modelName, fingerprint } = this.#options;
    return { id, object: "text_completion", created, model: modelName, system_fingerprint: fingerprint };
  }
}
