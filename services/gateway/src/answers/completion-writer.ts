import { type Finish, type GenerationEvent, LogprobList, type TokenLogprob, tokenIdsSchema } from "@rhone/common";
import { z } from "zod";
import {
  type CompletionLogprobs,
  CompletionLogprobWriter,
  completionLogprobs,
  joinLogprobs,
  type Pieces,
  promptLogprobs,
} from "../text/logprobs.js";
import { timeLeft } from "../turns.js";
import { AnswerFrame, frameSchema } from "./answer-frame.js";
import { completionsDialect } from "./dialect.js";
import { HeldText } from "./held-text.js";
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
  /** Of the whole answer: of an echo's prompt too, with as many alternatives. */
  readonly scores: LogprobList;
  readonly promptScores: LogprobList;
  readonly tokens: number[];
  readonly text: HeldText;
  begun: boolean;
  finish: Finish | undefined;
}

/** Writes /v1/completions. */
export class CompletionWriter implements Writer {
  readonly dialect = completionsDialect;
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
      scores: new LogprobList(),
      promptScores: new LogprobList(),
      tokens: [],
      text: new HeldText(),
      begun: false,
      finish: undefined,
    }));
  }

  get usage() {
    return this.#frame.usage;
  }

  get choices(): number {
    return this.#choices.length;
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
    if (purpose === "chunks") return this.#chunks(index, { choice, event, isFirst });
    this.#keep(choice, event);
    return [];
  }

  end(): readonly string[] {
    return this.#frame.end();
  }

  /** `chosen`: the choices that the answer has, in their order; default: all. */
  async whole(chosen: readonly number[] = [...this.#choices.keys()]): Promise<unknown> {
    const choices: unknown[] = [];
    for (const [index, which] of chosen.entries()) {
      await timeLeft();
      choices.push(this.#whole(index, choiceAt(this.#choices, which)));
    }
    return { ...this.#frame.head(), choices, usage: this.usage };
  }

  #whole(index: number, { prompt, text, tokens, scores, promptScores, finish }: Choice): unknown {
    const { logprobs, promptLogprobs: wanted, wantsTokenIds, echo } = this.#options;
    const shown = { first: echo ? prompt.ids[0] : undefined, scores, hiddenSpace: echo && prompt.hiddenSpace };
    return {
      index,
      text: (echo ? prompt.text : "") + text,
      logprobs: logprobs === null ? null : completionLogprobs(this.#model, shown),
      finish_reason: finish?.reason ?? null,
      ...(wantsTokenIds && { token_ids: tokens, prompt_token_ids: prompt.ids }),
      ...(wanted !== null && { prompt_logprobs: promptLogprobs(this.#model, promptScores, wanted) }),
    };
  }

  /** Keeps what the whole answer says of an event. */
  #keep(choice: Choice, { text, tokens, logprobs = [], promptLogprobs: ofPrompt = [], finish }: GenerationEvent): void {
    const { logprobs: most, promptLogprobs: wanted, echo, wantsTokenIds } = this.#options;
    choice.text.push(text);
    choice.finish = finish;
    if (wantsTokenIds) choice.tokens.push(...tokens);
    if (wanted !== null) choice.promptScores.push(ofPrompt);
    if (most === null) return;
    if (echo) choice.scores.push(best(ofPrompt, most));
    choice.scores.push(logprobs);
  }

  /** None for an event that has nothing to show. */
  #chunks(index: number, { choice, event, isFirst }: Taken): readonly string[] {
    const { wantsTokenIds, runningUsage, echo } = this.#options;
    const { tokens, finish } = event;
    const text = (isFirst && echo ? choice.prompt.text : "") + event.text;
    const logprobs = this.#logprobsOf(choice, event, isFirst);
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
  readonly event: GenerationEvent;
  readonly isFirst: boolean;
}

/** Keeps the `most` best alternatives: a prompt is scored once for everything that was asked about it. */
const best = (scores: readonly TokenLogprob[], most: number): readonly TokenLogprob[] =>
  scores.map((score) => ({ ...score, top: score.top.slice(0, most) }));
