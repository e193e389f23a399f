import type { Finish, TokenLogprob } from "@rhone/common";
import { mistralCallId } from "@rhone/model";
import type { ChoiceEvent } from "../requests/merge-events.js";
import type { CallFormat } from "../requests/tools/call-rules.js";
import { leadingSpaceStripper } from "../text/leading-space.js";
import { chatLogprobs, type Pieces } from "../text/logprobs.js";
import { promptLogprobs } from "../text/prompt-logprobs.js";
import { UsageCount, usageOf } from "../text/usage-count.js";
import { type AnswerReader, answerReader } from "./calls/answer-reader.js";
import type { FunctionCall } from "./calls/call-reader.js";
import { chunkTemplate } from "./chunk-template.js";
import type { Writer } from "./writer.js";

export interface ChatWriterOptions {
  readonly id: string;
  readonly created: number;
  readonly modelName: string;
  readonly fingerprint: string;
  readonly model: Pieces;
  /** The first piece of an answer begins with a space that is not the model's. */
  readonly stripsSpace: boolean;
  /** What every answer begins with before anything is generated: "" for most. */
  readonly opening: string;
  readonly choices: number;
  readonly promptIds: readonly number[];
  readonly wantsLogprobs: boolean;
  readonly wantsPromptLogprobs: boolean;
  readonly wantsTokenIds: boolean;
  readonly tokensAsIds: boolean;
  /** Usage so far on every chunk. */
  readonly runningUsage: boolean;
  /** Usage in a chunk of its own at the end instead of on the finishing one. */
  readonly usageChunk: boolean;
  /** How calls are told from text; null: all is text. */
  readonly calls: CallFormat | null;
}

interface ToolCall {
  readonly index: number;
  readonly id: string;
  readonly type: "function";
  readonly function: FunctionCall;
}

interface Choice {
  /** The JSON of a chunk with nothing but text. */
  readonly plain: (text: string) => string;
  readonly strip: (text: string) => string;
  readonly tokens: number[];
  readonly logprobs: TokenLogprob[];
  readonly reader: AnswerReader;
  readonly calls: ToolCall[];
  text: string;
  begun: boolean;
  finish: Finish | undefined;
}

/** Writes /v1/chat/completions. */
export class ChatWriter implements Writer {
  readonly #options: ChatWriterOptions;
  readonly #choices: readonly Choice[];
  readonly #usage: UsageCount;
  #promptScores: readonly TokenLogprob[] = [];
  #open: number;

  constructor(options: ChatWriterOptions) {
    this.#options = options;
    this.#open = options.choices;
    this.#usage = new UsageCount(options.choices);
    this.#choices = Array.from({ length: options.choices }, (_, index) => ({
      plain: chunkTemplate((content) => this.#bare(index, { delta: { content } })),
      strip: leadingSpaceStripper(options.stripsSpace),
      tokens: [],
      logprobs: [],
      reader: answerReader(options.calls, options.model),
      calls: [],
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
    const { text, calls } = this.#read(index, choice, event);
    const logprobs = event.logprobs ?? [];
    if (index === 0 && event.promptLogprobs !== undefined) this.#promptScores = event.promptLogprobs;
    choice.tokens.push(...event.tokens);
    choice.logprobs.push(...logprobs);
    const chunks: string[] = [];
    if (!choice.begun) chunks.push(JSON.stringify(this.#begin(index, choice)));
    choice.begun = true;
    const { wantsLogprobs, wantsTokenIds, runningUsage } = this.#options;
    if (text !== "" || (wantsLogprobs && logprobs.length > 0) || (wantsTokenIds && event.tokens.length > 0)) {
      const isPlain = !wantsLogprobs && !wantsTokenIds && !runningUsage;
      chunks.push(isPlain ? choice.plain(text) : JSON.stringify(this.#content(index, text, event)));
    }
    for (const call of calls) chunks.push(JSON.stringify(this.#chunk(index, { delta: { tool_calls: [call] } })));
    if (event.finish !== undefined) chunks.push(JSON.stringify(this.#finish(index, choice, event)));
    return chunks;
  }

  end(): readonly string[] {
    if (!this.#options.usageChunk) return [];
    return [JSON.stringify({ ...this.#head(CHUNK), choices: [], usage: this.usage })];
  }

  whole(): unknown {
    const { wantsLogprobs, wantsPromptLogprobs, wantsTokenIds, model, promptIds } = this.#options;
    return {
      ...this.#head("chat.completion"),
      choices: this.#choices.map((choice, index) => ({
        index,
        message: {
          role: "assistant",
          content: choice.calls.length > 0 && choice.text === "" ? null : choice.text,
          refusal: null,
          ...(choice.calls.length > 0 && { tool_calls: choice.calls.map(withoutIndex) }),
        },
        logprobs: wantsLogprobs ? chatLogprobs(model, choice.logprobs) : null,
        finish_reason: finishReason(choice),
        ...(wantsTokenIds && { token_ids: choice.tokens }),
      })),
      usage: this.usage,
      ...(wantsTokenIds && { prompt_token_ids: promptIds }),
      ...(wantsPromptLogprobs && { prompt_logprobs: promptLogprobs(model, this.#promptScores) }),
    };
  }

  /** The event's text, and the calls that are complete with it. */
  #read(index: number, choice: Choice, { tokens, text, finish }: ChoiceEvent["event"]) {
    const read = [
      ...choice.reader.take(tokens, choice.strip(text)),
      ...(finish === undefined ? [] : choice.reader.end()),
    ];
    const calls: Choice["calls"] = [];
    let plain = choice.begun ? "" : this.#options.opening;
    for (const part of read) {
      if (part.kind === "text") plain += part.text;
      else calls.push(this.#call(index, choice.calls.length + calls.length, part.call));
    }
    choice.text += plain;
    choice.calls.push(...calls);
    return { text: plain, calls };
  }

  /** Ids follow from the request's, so that another gateway gives the same ones. */
  #call(choice: number, index: number, call: FunctionCall): ToolCall {
    const id = mistralCallId(`${this.#options.id}-${choice}-${index}`);
    return { index, id, type: "function", function: call };
  }

  #begin(index: number, { reader }: Choice) {
    const { wantsTokenIds, promptIds } = this.#options;
    const begin = this.#chunk(index, { delta: { role: "assistant", content: reader.isUndecided ? null : "" } });
    return { ...begin, ...(wantsTokenIds && { prompt_token_ids: promptIds }) };
  }

  #content(index: number, text: string, event: ChoiceEvent["event"]) {
    const { wantsLogprobs, wantsTokenIds, model } = this.#options;
    return this.#chunk(index, {
      delta: { content: text },
      ...(wantsLogprobs && { logprobs: chatLogprobs(model, event.logprobs ?? []) }),
      ...(wantsTokenIds && { token_ids: event.tokens }),
    });
  }

  #finish(index: number, choice: Choice, { finish, usage }: ChoiceEvent["event"]): unknown {
    choice.finish = finish;
    if (usage !== undefined) this.#usage.add(index, usage);
    this.#open--;
    const chunk = this.#chunk(index, { delta: {}, finish_reason: finishReason(choice) });
    return this.#open === 0 && !this.#options.usageChunk ? { ...chunk, usage: this.usage } : chunk;
  }

  #chunk(index: number, fields: object) {
    const chunk = this.#bare(index, fields);
    return this.#options.runningUsage ? { ...chunk, usage: this.#usageSoFar() } : chunk;
  }

  #bare(index: number, fields: object) {
    return { ...this.#head(CHUNK), choices: [{ index, finish_reason: null, ...fields }] };
  }

  #usageSoFar() {
    return usageOf(
      this.#options.promptIds.length,
      this.#choices.reduce((sum, { tokens }) => sum + tokens.length, 0),
    );
  }

  #head(object: string) {
    const { id, created, modelName, fingerprint } = this.#options;
    return { id, object, created, model: modelName, system_fingerprint: fingerprint };
  }
}

const CHUNK = "chat.completion.chunk";

/** An answer that ended by itself and made calls ended for them. */
function finishReason({ finish, calls }: Choice): string | null {
  return finish?.reason === "stop" && calls.length > 0 ? "tool_calls" : (finish?.reason ?? null);
}

/** Places are for chunks only. */
const withoutIndex = ({ index: _, ...call }: ToolCall) => call;
