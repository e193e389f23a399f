import type { Finish } from "@rhone/common";
import { z } from "zod";
import type { TextModel } from "../text/text-model.js";
import { JsonText } from "../write-in-turns.js";
import { UsageCount, warningsField, warningsSchema } from "./answer-frame.js";
import { answerShapeSchema, type ChoicePart, ChoiceReader, type IdentifiedCall } from "./choice-reader.js";
import { messagesDialect } from "./dialect.js";
import { HeldText } from "./held-text.js";
import type { ChoiceEvent, Purpose, Writer } from "./writer.js";

/** Everything a writer of messages needs besides the model. */
export const messagesWriterSchema = z.object({
  id: z.string(),
  modelName: z.string(),
  ...answerShapeSchema.shape,
  warnings: warningsSchema,
  promptTokens: z.number(),
  /** The context ends before `max_tokens`. */
  endsWithContext: z.boolean(),
});
export type MessagesWriterOptions = Readonly<z.infer<typeof messagesWriterSchema>>;

/** A block of a whole answer. */
type Block = HeldText | IdentifiedCall;

/** Writes /v1/messages: one answer, whose text and calls are blocks in their order. */
export class MessagesWriter implements Writer {
  readonly dialect = messagesDialect;
  readonly #options: MessagesWriterOptions;
  readonly #reader: ChoiceReader;
  readonly #usage = new UsageCount(1);
  readonly #blocks: Block[] = [];
  #begun = false;
  /** Blocks that the stream has begun. */
  #count = 0;
  #isTextOpen = false;
  #finish: Finish | undefined;

  constructor(options: MessagesWriterOptions, model: Pick<TextModel, "pieceBytes">) {
    this.#options = options;
    this.#reader = new ChoiceReader({ id: options.id, choice: 0 }, options, model);
  }

  get usage() {
    return this.#usage.toJson();
  }

  take({ event }: ChoiceEvent, purpose: Purpose): readonly string[] {
    const parts = this.#reader.take(event);
    this.#finish = event.finish;
    if (event.usage !== undefined) this.#usage.add(0, event.usage);
    if (purpose === "whole") {
      for (const part of parts) this.#keep(part);
      return [];
    }
    const events = this.#events(parts);
    return purpose === "chunks" ? events.map((each) => JSON.stringify(each)) : [];
  }

  end(): readonly string[] {
    return [];
  }

  async whole(): Promise<unknown> {
    const content = this.#blocks.map((block) =>
      block instanceof HeldText ? textBlock(block.toString()) : toolUse(block, new JsonText(block.arguments)),
    );
    return { ...this.#message(content, this.#ending(), usageOf(this.usage)), ...warningsField(this.#options.warnings) };
  }

  #keep(part: ChoicePart): void {
    const last = this.#blocks.at(-1);
    if (part.kind === "call") this.#blocks.push(part.call);
    else if (last instanceof HeldText) last.push(part.text);
    else {
      const text = new HeldText();
      text.push(part.text);
      this.#blocks.push(text);
    }
  }

  /** The events of a stream that these parts make. */
  #events(parts: readonly ChoicePart[]): readonly object[] {
    const events: object[] = [];
    if (!this.#begun) events.push(this.#start());
    this.#begun = true;
    for (const part of parts) {
      if (part.kind === "text") events.push(...this.#text(part.text));
      else events.push(...this.#call(part.call));
    }
    if (this.#finish !== undefined) events.push(...this.#closeText(), this.#delta(), { type: "message_stop" });
    return events;
  }

  #start(): object {
    const { promptTokens } = this.#options;
    const sofar = { prompt_tokens: promptTokens, completion_tokens: 0, prompt_tokens_details: { cached_tokens: 0 } };
    return { type: "message_start", message: this.#message([], UNENDED, usageOf(sofar)) };
  }

  #text(text: string): readonly object[] {
    const before = this.#isTextOpen ? [] : this.#begin(textBlock(""));
    this.#isTextOpen = true;
    return [...before, this.#blockDelta({ type: "text_delta", text })];
  }

  /** A call is complete when it is known to be one, so that its input is one piece. */
  #call(call: IdentifiedCall): readonly object[] {
    const before = this.#closeText();
    const begin = this.#begin(toolUse(call, {}));
    const input = this.#blockDelta({ type: "input_json_delta", partial_json: call.arguments });
    return [...before, ...begin, input, this.#stop()];
  }

  #closeText(): readonly object[] {
    if (!this.#isTextOpen) return [];
    this.#isTextOpen = false;
    return [this.#stop()];
  }

  #begin(block: object): readonly object[] {
    const start = { type: "content_block_start", index: this.#count, content_block: block };
    return this.#count++ === 0 ? [start, { type: "ping" }] : [start];
  }

  #blockDelta(delta: object): object {
    return { type: "content_block_delta", index: this.#count - 1, delta };
  }

  #stop(): object {
    return { type: "content_block_stop", index: this.#count - 1 };
  }

  #delta(): object {
    const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, output_tokens } = usageOf(this.usage);
    const input = { input_tokens, cache_creation_input_tokens, cache_read_input_tokens };
    const usage = { ...input, output_tokens, output_tokens_details: null, server_tool_use: null };
    const delta = { ...this.#ending(), ...NEVER };
    return { type: "message_delta", delta, usage, ...warningsField(this.#options.warnings) };
  }

  #message(content: readonly object[], ending: object, usage: object): object {
    const { id, modelName: model } = this.#options;
    return { id, type: "message", role: "assistant", model, content, ...ending, ...NEVER, usage };
  }

  #ending() {
    const { calls } = this.#reader;
    const { stop, sequence } = stopOf(this.#finish, { calls, endsWithContext: this.#options.endsWithContext });
    return { stop_reason: stop, stop_sequence: sequence };
  }
}

/** How a message ends that has not ended. */
const UNENDED = { stop_reason: null, stop_sequence: null };

/** Refusals and containers of other services. */
const NEVER = { stop_details: null, container: null };

interface Ended {
  readonly calls: number;
  readonly endsWithContext: boolean;
}

/** Why an answer ended, and the stop sequence that ended it. */
function stopOf(finish: Finish | undefined, { calls, endsWithContext }: Ended) {
  if (finish?.reason === "length")
    return { stop: endsWithContext ? "model_context_window_exceeded" : "max_tokens", sequence: null };
  if (finish?.reason === "stop" && typeof finish.matched === "string")
    return { stop: "stop_sequence", sequence: finish.matched };
  return { stop: calls > 0 ? "tool_use" : "end_turn", sequence: null };
}

/** Without `citations`: clients take a list of them or none, as Anthropic sends it, and no null. */
const textBlock = (text: string) => ({ type: "text", text });

const toolUse = ({ id, name }: IdentifiedCall, input: unknown) => ({
  type: "tool_use",
  id,
  name,
  input,
  caller: { type: "direct" },
});

/** Anthropic counts the tokens of the prompt that came from the cache apart. */
function usageOf({ prompt_tokens, completion_tokens, prompt_tokens_details }: Writer["usage"]) {
  const { cached_tokens: cached } = prompt_tokens_details;
  return {
    input_tokens: prompt_tokens - cached,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cached,
    cache_creation: null,
    output_tokens: completion_tokens,
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: "standard",
    inference_geo: null,
  };
}
