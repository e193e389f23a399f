import { type Finish, type GenerationEvent, LogprobList, tokenIdsSchema } from "@rhone/common";
import { z } from "zod";
import { type Pieces, promptLogprobs, shownChatLogprobs, wholeChatLogprobs } from "../text/logprobs.js";
import { type Shown, type ShownScore, ShownScores } from "../text/shown-scores.js";
import { AnswerFrame, frameSchema } from "./answer-frame.js";
import type { FunctionCall } from "./calls/call-reader.js";
import { answerShapeSchema, ChoiceReader, type IdentifiedCall, textOfParts } from "./choice-reader.js";
import { completionsDialect } from "./dialect.js";
import { HeldText } from "./held-text.js";
import { type ChoiceEvent, choiceAt, type Purpose, type Writer } from "./writer.js";

/** Everything a chat writer needs besides the model. */
export const chatWriterSchema = frameSchema.extend({
  ...answerShapeSchema.shape,
  choices: z.number(),
  promptIds: tokenIdsSchema.readonly(),
  wantsLogprobs: z.boolean(),
  wantsPromptLogprobs: z.boolean(),
  /** The one call of an answer is `function_call`, as before OpenAI had tools. */
  legacyCalls: z.boolean().exactOptional(),
});
export type ChatWriterOptions = Readonly<z.infer<typeof chatWriterSchema>>;

interface ToolCall {
  readonly index: number;
  readonly id: string;
  readonly type: "function";
  readonly function: FunctionCall;
}

interface Choice {
  /** The JSON of a chunk with nothing but text. */
  readonly plain: (text: string) => string;
  readonly tokens: number[];
  readonly logprobs: LogprobList;
  readonly shown: ShownScores;
  readonly reader: ChoiceReader;
  /** Of the whole answer. */
  readonly calls: ToolCall[];
  readonly text: HeldText;
  begun: boolean;
  finish: Finish | undefined;
}

/** An event as its choice took it in. */
interface Taken {
  readonly choice: Choice;
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly event: GenerationEvent;
  /** Of the tokens whose text is shown by now; none for a whole answer, which is written from all of its scores. */
  readonly scores: readonly ShownScore[];
  readonly isFirst: boolean;
}

/** Writes /v1/chat/completions, and /v1/fim/completions, which has the same shape. */
export class ChatWriter implements Writer {
  readonly dialect = completionsDialect;
  readonly #options: ChatWriterOptions;
  readonly #model: Pieces;
  readonly #frame: AnswerFrame;
  readonly #shown: Shown;
  readonly #choices: readonly Choice[];
  readonly #promptScores = new LogprobList();

  constructor(options: ChatWriterOptions, model: Pieces) {
    const { id, choices, promptIds } = options;
    this.#options = options;
    this.#model = model;
    this.#shown = { hiddenSpace: options.stripsSpace, special: options.showsSpecial };
    const chunkObject = "chat.completion.chunk";
    this.#frame = new AnswerFrame(options, {
      chunkObject,
      choices,
      samples: choices,
      promptTokens: promptIds.length,
    });
    this.#choices = Array.from({ length: choices }, (_, index) => ({
      plain: this.#frame.textChunk((content) => choiceOf(index, { delta: { content } })),
      tokens: [],
      logprobs: new LogprobList(),
      shown: new ShownScores(model, this.#shown),
      reader: new ChoiceReader({ id, choice: index }, options, model),
      calls: [],
      text: new HeldText(),
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
    const scores = this.#scoresOf(choice, event, purpose);
    const taken = { ...readEvent(choice.reader, event), choice, event, scores, isFirst };
    choice.begun = true;
    choice.finish = event.finish;
    this.#frame.count(index, event);
    if (purpose === "chunks") return this.#chunks(index, taken);
    if (purpose === "whole") this.#keep(index, taken);
    return [];
  }

  #scoresOf({ shown }: Choice, { text, logprobs = [], finish }: GenerationEvent, purpose: Purpose) {
    if (!this.#options.wantsLogprobs) return [];
    shown.show(text);
    if (purpose === "whole") return [];
    const scores = logprobs.flatMap((score) => shown.take(score));
    return finish === undefined ? scores : [...scores, ...shown.end(finish)];
  }

  #chunks(index: number, taken: Taken): readonly string[] {
    const { choice, calls, event, isFirst } = taken;
    const chunks: string[] = [];
    if (isFirst) chunks.push(this.#begin(index, choice));
    const content = this.#content(index, taken);
    if (content !== undefined) chunks.push(content);
    for (const call of calls) chunks.push(this.#frame.chunk(choiceOf(index, { delta: this.#callsOf([call]) })));
    if (event.finish !== undefined) chunks.push(this.#finish(index, choice));
    return chunks;
  }

  end(): readonly string[] {
    return this.#frame.end();
  }

  async whole(): Promise<unknown> {
    const { wantsPromptLogprobs, wantsTokenIds, promptIds } = this.#options;
    return {
      ...this.#frame.head("chat.completion"),
      choices: this.#choices.map((choice, index) => this.#whole(index, choice)),
      ...this.#frame.tail(),
      ...(wantsTokenIds && { prompt_token_ids: promptIds }),
      ...(wantsPromptLogprobs && {
        prompt_logprobs: promptLogprobs(this.#model, this.#promptScores),
      }),
    };
  }

  #whole(index: number, choice: Choice): unknown {
    const { wantsLogprobs, wantsTokenIds } = this.#options;
    const text = choice.text.toString();
    return {
      index,
      message: {
        role: "assistant",
        content: choice.calls.length > 0 && text === "" ? null : text,
        refusal: null,
        ...this.#callsOf(choice.calls.map(withoutIndex)),
      },
      logprobs: wantsLogprobs ? { content: this.#wholeLogprobs(choice), refusal: null } : null,
      finish_reason: this.#finishReason(choice),
      ...(wantsTokenIds && { token_ids: choice.tokens }),
    };
  }

  #wholeLogprobs({ logprobs: scores, shown: { units }, finish }: Choice) {
    return wholeChatLogprobs(this.#model, { ...this.#shown, scores, units, finish });
  }

  #keep(index: number, { choice, text, calls, event }: Taken): void {
    const { wantsLogprobs, wantsPromptLogprobs, wantsTokenIds } = this.#options;
    choice.text.push(text);
    choice.calls.push(...calls);
    if (wantsTokenIds) choice.tokens.push(...event.tokens);
    if (wantsLogprobs) choice.logprobs.push(event.logprobs ?? []);
    if (wantsPromptLogprobs && index === 0) this.#promptScores.push(event.promptLogprobs ?? []);
  }

  #begin(index: number, { reader }: Choice): string {
    const { wantsTokenIds, promptIds } = this.#options;
    const delta = { role: "assistant", content: reader.isUndecided ? null : "" };
    return this.#frame.chunk(choiceOf(index, { delta }), wantsTokenIds ? { prompt_token_ids: promptIds } : {});
  }

  /** undefined: the event has nothing to show. */
  #content(index: number, { text, scores, event: { tokens } }: Taken): string | undefined {
    const { wantsLogprobs, wantsTokenIds, runningUsage } = this.#options;
    const logprobs = shownChatLogprobs(this.#model, scores);
    if (text === "" && logprobs.length === 0 && !(wantsTokenIds && tokens.length > 0)) return undefined;
    if (!wantsLogprobs && !wantsTokenIds && !runningUsage) return this.#choices[index]?.plain(text);
    return this.#frame.chunk(
      choiceOf(index, {
        delta: { content: text },
        ...(wantsLogprobs && { logprobs: { content: logprobs, refusal: null } }),
        ...(wantsTokenIds && { token_ids: tokens }),
      }),
    );
  }

  #finish(index: number, choice: Choice): string {
    return this.#frame.finishingChunk(choiceOf(index, { delta: {}, finish_reason: this.#finishReason(choice) }));
  }

  #callsOf(calls: readonly Pick<ToolCall, "function">[]) {
    const [call] = calls;
    if (call === undefined) return {};
    return this.#options.legacyCalls ? { function_call: call.function } : { tool_calls: calls };
  }

  /** "tool_calls" when the model stopped by itself after making calls. */
  #finishReason({ finish, reader }: Choice): string | null {
    if (finish?.reason !== "stop" || reader.calls === 0) return finish?.reason ?? null;
    return this.#options.legacyCalls ? "function_call" : "tool_calls";
  }
}

const choiceOf = (index: number, fields: object) => ({ index, finish_reason: null, ...fields });

/** The event's text, and the calls that it completes. */
function readEvent(reader: ChoiceReader, event: GenerationEvent) {
  const before = reader.calls;
  const parts = reader.take(event);
  const calls = parts.flatMap((part) => (part.kind === "call" ? [part.call] : []));
  return { text: textOfParts(parts), calls: calls.map((call, index) => toToolCall(before + index, call)) };
}

const toToolCall = (index: number, { id, ...call }: IdentifiedCall): ToolCall => ({
  index,
  id,
  type: "function",
  function: call,
});

/** Only chunks number the calls. */
const withoutIndex = ({ index: _, ...call }: ToolCall) => call;
