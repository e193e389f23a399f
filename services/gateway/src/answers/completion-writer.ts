import { type Finish, type GenerationEvent, type TokenLogprob, tokenIdsSchema } from "@rhone/common";
import { z } from "zod";
import {
  type CompletionLogprobs,
  CompletionLogprobWriter,
  joinLogprobs,
  type Pieces,
  promptLogprob,
} from "../text/logprobs.js";
import { mapInTurns, timeLeft } from "../turns.js";
import { AnswerFrame, frameSchema } from "./answer-frame.js";
import { type ChoiceEvent, choiceAt, type Purpose, type Writer } from "./writer.js";

const promptSchema = z.object({
  ids: tokenIdsSchema.readonly(),
  /** What an echo shows. */
  text: z.string(),
  /** The ids begin with SentencePiece's space, which `text` lacks. */
  hiddenSpace: z.boolean(),
});
export type CompletionPrompt = Readonly<z.infer<typeof promptSchema>>;

/** Everything a completion writer needs besides the model. */
export const completionWriterSchema = frameSchema.extend({
  samples: z.number(),
  /** One per choice. */
  prompts: z.array(promptSchema).readonly(),
  echo: z.boolean(),
  /** Alternatives per token; null: no log-probabilities. */
  logprobs: z.number().nullable(),
  promptLogprobs: z.number().nullable(),
});
export type CompletionWriterOptions = Readonly<z.infer<typeof completionWriterSchema>>;

interface Choice {
  /** The JSON of a chunk with nothing but text. */
  readonly plain: (text: string) => string;
  readonly prompt: CompletionPrompt;
  readonly writer: CompletionLogprobWriter;
  readonly logprobs: CompletionLogprobs[];
  readonly tokens: number[];
  readonly promptScores: TokenLogprob[];
  text: string;
  begun: boolean;
  finish: Finish | undefined;
}

/** Writes /v1/completions. */
export class CompletionWriter implements Writer {
  readonly #options: CompletionWriterOptions;
  readonly #model: Pieces;
  readonly #frame: AnswerFrame;
  readonly #choices: readonly Choice[];

  constructor(options: CompletionWriterOptions, model: Pieces) {
    const { prompts, samples, echo } = options;
    this.#options = options;
    this.#model = model;
    const distinct = prompts.filter((_, choice) => choice % samples === 0);
    this.#frame = new AnswerFrame(options, {
      chunkObject: "text_completion",
      choices: prompts.length,
      samples,
      promptTokens: distinct.reduce((sum, { ids }) => sum + ids.length, 0),
    });
    this.#choices = prompts.map((prompt, index) => ({
      plain: this.#frame.textChunk((text) => ({ index, text, logprobs: null, finish_reason: null })),
      prompt,
      writer: new CompletionLogprobWriter(model, echo && prompt.hiddenSpace),
      logprobs: [],
      tokens: [],
      promptScores: [],
      text: "",
      begun: false,
      finish: undefined,
    }));
  }

  get usage() {
    return this.#frame.usage;
  }

  take({ choice: index, event }: ChoiceEvent, purpose: Purpose): readonly string[] {
    const choice = choiceAt(this.#choices, index);
    const isFirst = !choice.begun;
    choice.begun = true;
    this.#frame.count(index, event);
    if (purpose === "later") {
      this.#pass(choice, event, isFirst);
      return [];
    }
    const text = (isFirst && this.#options.echo ? choice.prompt.text : "") + event.text;
    const taken = { choice, text, logprobs: this.#logprobsOf(choice, event, isFirst), event, isFirst };
    if (purpose === "chunks") return this.#chunks(index, taken);
    keep(taken);
    return [];
  }

  end(): readonly string[] {
    return this.#frame.end();
  }

  async whole(): Promise<unknown> {
    const choices: unknown[] = [];
    for (const [index, choice] of this.#choices.entries()) choices.push(await this.#whole(index, choice));
    return { ...this.#frame.head(), choices, usage: this.usage };
  }

  async #whole(index: number, choice: Choice): Promise<unknown> {
    const { logprobs, promptLogprobs: wanted, wantsTokenIds } = this.#options;
    const score = (each: TokenLogprob) => promptLogprob(this.#model, each);
    await timeLeft();
    return {
      index,
      text: choice.text,
      logprobs: logprobs === null ? null : joinLogprobs(choice.logprobs),
      finish_reason: choice.finish?.reason ?? null,
      ...(wantsTokenIds && { token_ids: choice.tokens, prompt_token_ids: choice.prompt.ids }),
      ...(wanted !== null && {
        prompt_logprobs: [null, ...(await mapInTurns(best(choice.promptScores, wanted), score))],
      }),
    };
  }

  /** None for an event that has nothing to show. */
  #chunks(index: number, { choice, text, logprobs, event, isFirst }: Taken): readonly string[] {
    const { wantsTokenIds, runningUsage } = this.#options;
    const { tokens, finish } = event;
    if (finish === undefined) {
      const hasMore = (logprobs !== null && logprobs.tokens.length > 0) || (wantsTokenIds && tokens.length > 0);
      if (text === "" && !hasMore) return [];
      if (logprobs === null && !wantsTokenIds && !runningUsage) return [choice.plain(text)];
    }
    const fields = {
      index,
      text,
      logprobs,
      finish_reason: finish?.reason ?? null,
      ...(wantsTokenIds && { token_ids: tokens }),
      ...(wantsTokenIds && isFirst && { prompt_token_ids: choice.prompt.ids }),
    };
    return [finish === undefined ? this.#frame.chunk(fields) : this.#frame.finishingChunk(fields)];
  }

  #pass({ writer, prompt }: Choice, { logprobs = [], promptLogprobs = [] }: GenerationEvent, isFirst: boolean): void {
    const { echo } = this.#options;
    const [first] = prompt.ids;
    if (echo && isFirst && first !== undefined) writer.first(first);
    if (echo) writer.pass(promptLogprobs);
    writer.pass(logprobs);
  }

  #logprobsOf(choice: Choice, event: GenerationEvent, isFirst: boolean): CompletionLogprobs | null {
    const { logprobs, echo } = this.#options;
    if (logprobs === null) return null;
    const { writer, prompt } = choice;
    const parts: CompletionLogprobs[] = [];
    const [first] = prompt.ids;
    if (echo && isFirst && first !== undefined) parts.push(writer.first(first));
    if (echo) parts.push(writer.scored(best(event.promptLogprobs ?? [], logprobs)));
    return joinLogprobs([...parts, writer.scored(event.logprobs ?? [])]);
  }
}

/** An event as its choice took it in. */
interface Taken {
  readonly choice: Choice;
  readonly text: string;
  readonly logprobs: CompletionLogprobs | null;
  readonly event: GenerationEvent;
  readonly isFirst: boolean;
}

/** Keeps what the whole answer says of an event. */
function keep({ choice, text, logprobs, event }: Taken): void {
  choice.promptScores.push(...(event.promptLogprobs ?? []));
  choice.text += text;
  choice.tokens.push(...event.tokens);
  if (logprobs !== null) choice.logprobs.push(logprobs);
  choice.finish = event.finish;
}

/** Keeps the `most` best alternatives: a prompt is scored once for everything that was asked about it. */
const best = (scores: readonly TokenLogprob[], most: number): readonly TokenLogprob[] =>
  scores.map((score) => ({ ...score, top: score.top.slice(0, most) }));
