import { type Finish, type GenerationEvent, LogprobList, type TokenLogprob, tokenIdsSchema } from "@rhone/common";
import { z } from "zod";
import {
  answerToken,
  type CompletionLogprobs,
  CompletionLogprobWriter,
  type CompletionToken,
  completionLogprobs,
  type Pieces,
  promptLogprobs,
  promptToken,
} from "../text/logprobs.js";
import { type Shown, ShownScores } from "../text/shown-scores.js";
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
  readonly shown: ShownScores;
  /** Of the whole answer, and of its echo's prompt with as many alternatives. */
  readonly scores: LogprobList;
  readonly echoScores: LogprobList;
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
  readonly #shown: Shown;
  readonly #choices: readonly Choice[];

  constructor(options: CompletionWriterOptions, model: Pieces) {
    const { prompts, samples, echo } = options;
    this.#options = options;
    this.#model = model;
    this.#shown = { hiddenSpace: false, special: options.showsSpecial };
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
      shown: new ShownScores(model, this.#shown),
      scores: new LogprobList(),
      echoScores: new LogprobList(),
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
      choice.writer.pass(this.#tokensOf({ choice, event, isFirst }));
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
    return { ...this.#frame.head(), choices, ...this.#frame.tail() };
  }

  #whole(index: number, choice: Choice): unknown {
    const { prompt, text, tokens, promptScores, finish } = choice;
    const { logprobs, promptLogprobs: wanted, wantsTokenIds, echo } = this.#options;
    return {
      index,
      text: (echo ? prompt.text : "") + text,
      logprobs: logprobs === null ? null : this.#wholeLogprobs(choice),
      finish_reason: finish?.reason ?? null,
      ...(wantsTokenIds && { token_ids: tokens, prompt_token_ids: prompt.ids }),
      ...(wanted !== null && { prompt_logprobs: promptLogprobs(this.#model, promptScores, wanted) }),
    };
  }

  #wholeLogprobs({ prompt, scores, echoScores, shown: { units }, finish }: Choice) {
    const { echo } = this.#options;
    return completionLogprobs(this.#model, {
      first: echo ? prompt.ids[0] : undefined,
      prompt: echoScores,
      answer: { ...this.#shown, scores, units, finish },
      hiddenSpace: echo && prompt.hiddenSpace,
    });
  }

  /** Keeps what the whole answer says of an event. */
  #keep(choice: Choice, { text, tokens, logprobs = [], promptLogprobs: ofPrompt = [], finish }: GenerationEvent): void {
    const { logprobs: most, promptLogprobs: wanted, echo, wantsTokenIds } = this.#options;
    choice.text.push(text);
    choice.shown.show(text);
    choice.finish = finish;
    if (wantsTokenIds) choice.tokens.push(...tokens);
    if (wanted !== null) choice.promptScores.push(ofPrompt);
    if (most === null) return;
    if (echo) choice.echoScores.push(best(ofPrompt, most));
    choice.scores.push(logprobs);
  }

  /** None for an event that has nothing to show. */
  #chunks(index: number, { choice, event, isFirst }: Taken): readonly string[] {
    const { wantsTokenIds, runningUsage, echo } = this.#options;
    const { tokens, finish } = event;
    const text = (isFirst && echo ? choice.prompt.text : "") + event.text;
    const logprobs = this.#logprobsOf({ choice, event, isFirst });
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

  #logprobsOf(taken: Taken): CompletionLogprobs | null {
    return this.#options.logprobs === null ? null : taken.choice.writer.write(this.#tokensOf(taken));
  }

  /** The tokens of the echo, and those whose text is shown by now. */
  #tokensOf({ choice: { prompt, shown }, event, isFirst }: Taken): readonly CompletionToken[] {
    const { logprobs: most, echo } = this.#options;
    if (most === null) return [];
    const { text, logprobs = [], promptLogprobs: ofPrompt = [], finish } = event;
    const [first] = prompt.ids;
    const echoed = echo ? best(ofPrompt, most).map((score) => promptToken(this.#model, score.token, score)) : [];
    const begin = echo && isFirst && first !== undefined ? [promptToken(this.#model, first, null)] : [];
    shown.show(text);
    const scores = [
      ...logprobs.flatMap((score) => shown.take(score)),
      ...(finish === undefined ? [] : shown.end(finish)),
    ];
    return [...begin, ...echoed, ...scores.map((each) => answerToken(this.#model, each, this.#shown.special))];
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
