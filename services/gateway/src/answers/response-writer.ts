import type { Finish, GenerationEvent, RhoneError } from "@rhone/common";
import { z } from "zod";
import { errorBody } from "../request-error.js";
import { chatLogprob, chatLogprobs, type Pieces } from "../text/logprobs.js";
import { type ShownScore, ShownScoreList, ShownScores } from "../text/shown-scores.js";
import { UsageCount, warningsField, warningsSchema } from "./answer-frame.js";
import { answerShapeSchema, ChoiceReader, type IdentifiedCall } from "./choice-reader.js";
import { responsesDialect } from "./dialect.js";
import { HeldText } from "./held-text.js";
import {
  cutOutput,
  failedWith,
  outputItemId,
  type ResponseStatus,
  responseHead,
  responseUsage,
} from "./response-object.js";
import type { ChoiceEvent, Purpose, Writer } from "./writer.js";

type Fields = Readonly<Record<string, unknown>>;

/** Everything a writer of responses needs besides the model. */
export const responseWriterSchema = z.object({
  ...answerShapeSchema.shape,
  id: z.string(),
  /** Unix seconds. */
  created: z.number(),
  modelName: z.string(),
  wantsLogprobs: z.boolean(),
  warnings: warningsSchema,
  /** Fields of the request that its response repeats. */
  echo: z.custom<Fields>((value) => typeof value === "object" && value !== null),
});
export type ResponseWriterOptions = Readonly<z.infer<typeof responseWriterSchema>>;

interface Message {
  readonly kind: "message";
  readonly id: string;
  readonly text: HeldText;
  readonly scores: ShownScoreList;
  status: "in_progress" | "completed" | "incomplete";
}

type Item = Message | { readonly kind: "call"; readonly id: string; readonly call: IdentifiedCall };

/** Failures of a reader, after which the response may still be completed. */
const OF_READERS: ReadonlySet<string> = new Set(["CANCELLED", "NOT_FOUND", "REDIS_UNAVAILABLE", "RECORD_UNREADABLE"]);

/**
 * Writes /v1/responses: its events, each with a sequence number, or the whole response. Calls come when they are
 * complete, so that each has one delta. In a stream, log-probabilities come with the deltas alone: repeated in the
 * events that end a text, those of 32,000 tokens would be tens of megabytes at once.
 */
export class ResponseWriter implements Writer {
  readonly dialect = responsesDialect;
  readonly #options: ResponseWriterOptions;
  readonly #model: Pieces;
  readonly #reader: ChoiceReader;
  readonly #usage = new UsageCount(1);
  readonly #items: Item[] = [];
  /** The last sequence number that the client has. */
  readonly #after: number;
  readonly #shown: ShownScores;
  /** Of tokens whose text is held back, because it may become a call. */
  #scores: ShownScoreList;
  #open: Message | undefined;
  #finish: Finish | undefined;
  #begun = false;
  #sequence = 0;
  #purpose: Purpose = "chunks";
  #said: string[] = [];

  constructor(options: ResponseWriterOptions, model: Pieces, after = -1) {
    this.#options = options;
    this.#model = model;
    this.#after = after;
    this.#reader = new ChoiceReader({ id: options.id, choice: 0 }, options, model);
    this.#shown = new ShownScores(model, { hiddenSpace: options.stripsSpace, special: false });
    this.#scores = new ShownScoreList(model);
  }

  get usage() {
    return this.#usage.toJson();
  }

  /** The first events, for a client that should not wait for those of the first token. */
  opening(): readonly string[] {
    this.#begin();
    return this.#takeSaid();
  }

  take({ event }: ChoiceEvent, purpose: Purpose): readonly string[] {
    this.#purpose = purpose;
    this.#begin();
    if (this.#options.wantsLogprobs) this.#score(event);
    for (const part of this.#reader.take(event)) {
      if (part.kind === "text") this.#text(part.text);
      else this.#call(part.call);
    }
    if (event.finish !== undefined) this.#end(event);
    return this.#takeSaid();
  }

  #score({ text, logprobs = [], finish }: GenerationEvent): void {
    this.#shown.show(text);
    for (const score of logprobs) this.#scores.push(this.#shown.take(score));
    if (finish !== undefined) this.#scores.push(this.#shown.end(finish));
  }

  end(): readonly string[] {
    const status = this.#status();
    this.#say(`response.${status}`, () => ({ response: this.#response(status) }));
    return this.#takeSaid();
  }

  failure(error: RhoneError): readonly string[] {
    this.#purpose = "chunks";
    // Clients know no response that they were not told of.
    this.#begin();
    const { code, message, param } = errorBody(error);
    if (OF_READERS.has(error.code)) this.#say("error", () => ({ code, message, param }));
    else this.#say("response.failed", () => ({ response: this.#failed(error) }));
    return this.#takeSaid();
  }

  async whole(): Promise<unknown> {
    return this.#response(this.#status());
  }

  /** In progress until the last event was taken. */
  #status(): ResponseStatus {
    if (this.#finish === undefined) return "in_progress";
    return this.#finish.reason === "length" ? "incomplete" : "completed";
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const isBackground = this.#options.echo.background === true;
    const first = isBackground ? "queued" : "in_progress";
    this.#say("response.created", () => ({ response: this.#response(first) }));
    if (isBackground) this.#say("response.queued", () => ({ response: this.#response(first) }));
    this.#say("response.in_progress", () => ({ response: this.#response("in_progress") }));
  }

  #text(text: string): void {
    const message = this.#open ?? this.#openMessage();
    const scores = this.#takeScores();
    message.text.push(text);
    // A stream's are sent, and needed no longer.
    if (this.#purpose === "whole") message.scores.push(scores);
    this.#say("response.output_text.delta", () => ({
      ...this.#placeOf(message),
      delta: text,
      logprobs: scores.map((each) => withoutBytes(chatLogprob(this.#model, each))),
    }));
  }

  #takeScores(): readonly ShownScore[] {
    if (this.#scores.length === 0) return [];
    const scores = [...this.#scores];
    this.#scores = new ShownScoreList(this.#model);
    return scores;
  }

  #openMessage(): Message {
    const id = outputItemId("msg", this.#options.id, this.#items.length);
    const message: Message = {
      kind: "message",
      id,
      text: new HeldText(),
      scores: new ShownScoreList(this.#model),
      status: "in_progress",
    };
    this.#items.push(message);
    this.#open = message;
    const { item_id: _, ...place } = this.#placeOf(message);
    const item = () => ({ id, type: "message", status: "in_progress", role: "assistant", content: [] });
    this.#say("response.output_item.added", () => ({ output_index: place.output_index, item: item() }));
    this.#say("response.content_part.added", () => ({ item_id: id, ...place, part: partOf("") }));
    return message;
  }

  #closeMessage(message: Message, status: "completed" | "incomplete"): void {
    this.#open = undefined;
    message.status = status;
    const text = message.text.toString();
    const place = this.#placeOf(message);
    this.#say("response.output_text.done", () => ({ ...place, text, logprobs: [] }));
    this.#say("response.content_part.done", () => ({ ...place, part: partOf(text) }));
    this.#say("response.output_item.done", () => ({ output_index: place.output_index, item: this.#item(message) }));
  }

  #placeOf({ id }: Message) {
    return { item_id: id, output_index: this.#items.length - 1, content_index: 0 };
  }

  #call(call: IdentifiedCall): void {
    if (this.#open !== undefined) this.#closeMessage(this.#open, "completed");
    this.#takeScores();
    const output_index = this.#items.length;
    const id = outputItemId("fc", this.#options.id, output_index);
    const item = { kind: "call", id, call } as const;
    this.#items.push(item);
    const begun = () => ({ ...this.#item(item), arguments: "", status: "in_progress" });
    this.#say("response.output_item.added", () => ({ output_index, item: begun() }));
    const place = { item_id: id, output_index };
    this.#say("response.function_call_arguments.delta", () => ({ ...place, delta: call.arguments }));
    const done = { name: call.name, arguments: call.arguments };
    this.#say("response.function_call_arguments.done", () => ({ ...place, ...done }));
    this.#say("response.output_item.done", () => ({ output_index, item: this.#item(item) }));
  }

  #end({ finish, usage }: GenerationEvent): void {
    this.#finish = finish;
    if (usage !== undefined) this.#usage.add(0, usage);
    // An answer without any text has an empty message.
    if (this.#items.length === 0) this.#openMessage();
    if (this.#open === undefined) return;
    if (this.#scores.length > 0) this.#text("");
    this.#closeMessage(this.#open, finish?.reason === "length" ? "incomplete" : "completed");
  }

  #response(status: ResponseStatus) {
    const isOver = this.#finish !== undefined;
    return {
      ...responseHead(this.#options, status),
      ...(status === "incomplete" && { incomplete_details: { reason: "max_output_tokens" } }),
      output: this.#items.map((item) => this.#item(item)),
      ...(isOver && { usage: responseUsage(this.usage), ...warningsField(this.#options.warnings) }),
    };
  }

  #failed(error: RhoneError) {
    const response = this.#response("failed");
    return { ...response, ...failedWith(error), output: cutOutput(response.output) };
  }

  #item(item: Item) {
    if (item.kind === "call") {
      const { id: call_id, name, arguments: given } = item.call;
      return { id: item.id, type: "function_call", status: "completed", arguments: given, call_id, name };
    }
    const { id, text, status, scores } = item;
    const logprobs = scores.length > 0 ? chatLogprobs(this.#model, scores) : [];
    return { id, type: "message", status, role: "assistant", content: [partOf(text.toString(), logprobs)] };
  }

  #say(type: string, fields: () => object): void {
    const sequence_number = this.#sequence++;
    if (this.#purpose !== "chunks" || sequence_number <= this.#after) return;
    this.#said.push(JSON.stringify({ type, sequence_number, ...fields() }));
  }

  #takeSaid(): readonly string[] {
    const said = this.#said;
    this.#said = [];
    return said;
  }
}

const partOf = (text: string, logprobs: Iterable<unknown> = []) => ({
  type: "output_text",
  text,
  annotations: [],
  logprobs,
});

type ChatLogprob = ReturnType<typeof chatLogprob>;

/** Events lack the bytes that whole responses have. */
const withoutBytes = ({ token, logprob, top_logprobs }: ChatLogprob) => ({
  token,
  logprob,
  top_logprobs: top_logprobs.map(({ token, logprob }) => ({ token, logprob })),
});
