import { answerBytes } from "../../answers/answer-bytes.js";
import { RESPONSE_PREFIX } from "../../answers/response-object.js";
import { WRITER_VERSION, type WriterRecord } from "../../answers/writer-record.js";
import { RequestError } from "../../request-error.js";
import type { TextModel } from "../../text/text-model.js";
import { timeLeft } from "../../turns.js";
import { shortJsonInTurns } from "../../write-in-turns.js";
import type { MessageFields } from "../conversation.js";
import { inWordsOf, messageNamed, type Renaming, warningsInWordsOf } from "../in-words-of.js";
import type { Arrival, Preparation, PreparedRequest } from "../prepare.js";
import { type ChatApi, type ChatRequest, chatOf, chatPrompt, prepareConversation } from "../prepare-chat.js";
import { isFilled } from "../tools/tool-fields.js";
import type { ResponseRequest } from "./response-fields.js";
import { type InputItem, itemOfMessage, MOST_ITEMS, toMessages } from "./response-items.js";

/** A request for a response, whose references and previous responses were read. */
export interface AskedResponse {
  readonly fields: ResponseRequest;
  /** All that the response answers to, instructions left out, oldest first. */
  readonly items: readonly InputItem[];
  /** Number of them that are previous responses' and come first. */
  readonly previous: number;
  readonly isStored: boolean;
}

export type PreparedResponse = PreparedRequest & {
  readonly record: Extract<WriterRecord, { readonly kind: "responses" }>;
};

/** Fields of a chat, and what they are called here. */
const namesOf = (asked: AskedResponse): readonly Renaming[] => [
  [/^tools\.(\d+)\.function\./, "tools.$1."],
  [/^response_format(\.json_schema)?/, "text.format"],
  [/^max_tokens$/, "max_output_tokens"],
  messageNamed((index) => sourceOf(asked, index)),
  [/^messages/, "input"],
];

/** What the message of the chat with this index was made from. */
function sourceOf({ fields: { instructions, input }, items, previous }: AskedResponse, index: number): string {
  const behind = instructions === undefined ? index : index - 1;
  if (behind < 0) return "instructions";
  const item = itemOfMessage(items, behind) - previous;
  if (item < 0) return "previous_response_id";
  return typeof input === "string" ? "input" : `input.${item}`;
}

/** Characters of a request's fields that its response repeats, `tools` and `instructions` above all. */
const MOST_REPEATED = 512 * 1024;

/** Prepares a response, as a chat. Throws as `Prepare` does, by the names that the fields have here. */
export async function prepareResponse(
  preparation: Preparation,
  asked: AskedResponse,
  arrival: Arrival,
): Promise<PreparedResponse> {
  const echo = echoOf(asked);
  if ((await shortJsonInTurns(echo, MOST_REPEATED)) === undefined) {
    const problem = `tools: with instructions and the other fields they take more than ${MOST_REPEATED} characters`;
    throw new RequestError("INVALID_REQUEST", `${problem}; send fewer.`, { param: "tools" });
  }
  await timeLeft();
  const names = namesOf(asked);
  const api = apiOf(echo, names);
  const prepared = await inWordsOf(names, () => prepareFitting(api, { preparation, arrival, asked }));
  const { stream, jobs, record } = prepared;
  if (record?.kind !== "responses") throw new Error("A response has a writer of its own");
  // The end of a stream repeats its text.
  const bytes = answerBytes(jobs, { stream: stream && !wantsLogprobs(asked.fields), calls: true });
  return { ...prepared, record, answerBytes: bytes };
}

/** The tokens of the prompt that a response answers to. Throws as `Prepare` does. */
export const countInput = (model: TextModel, asked: AskedResponse, owner: string): Promise<number> =>
  inWordsOf(namesOf(asked), async () => (await chatPrompt(model, toChat(asked), owner)).length);

const apiOf = (echo: Readonly<Record<string, unknown>>, names: readonly Renaming[]): ChatApi => ({
  prefix: RESPONSE_PREFIX,
  endsWithContext: true,
  record: ({ id, created, modelName, wantsLogprobs, stripsSpace, opening, calls, warnings }) => {
    const shape = { stripsSpace, opening, calls, warnings: warningsInWordsOf(names, warnings) };
    return {
      version: WRITER_VERSION,
      kind: "responses",
      options: { id, created, modelName, wantsLogprobs, ...shape, echo },
    };
  },
});

interface ToFit {
  readonly preparation: Preparation;
  readonly arrival: Arrival;
  readonly asked: AskedResponse;
}

/** With `truncation: "auto"`, a conversation that is too long loses its oldest items. */
async function prepareFitting(api: ChatApi, { preparation, arrival, asked }: ToFit): Promise<PreparedRequest> {
  const fields = toChat(asked);
  const chat = { preparation, arrival, fields };
  if (asked.fields.truncation !== "auto") return prepareConversation(api, chat);
  try {
    return await prepareConversation(api, chat);
  } catch (error) {
    const contextLength = contextOf(error);
    if (contextLength === undefined) throw error;
    const shorter = await longestFit(chat, contextLength);
    if (shorter === undefined) throw error;
    return prepareConversation(api, { ...chat, fields: { ...fields, messages: shorter } });
  }
}

/** The tokens that the context holds, for a refusal of more. */
function contextOf(error: unknown): number | undefined {
  if (!(error instanceof RequestError) || error.code !== "CONTEXT_LENGTH_EXCEEDED") return undefined;
  return Number(error.details.n_ctx);
}

type ChatToFit = Omit<ToFit, "asked"> & { readonly fields: ChatRequest };

/**
 * The messages without the oldest ones, as few as need be left out: what stays begins with a user's message, behind
 * the instructions. They leave room for the answer's tokens, up to half of the context. Takes at most 12 encodings.
 * undefined: not even the last user's message fits.
 */
async function longestFit({ preparation, arrival: { owner }, fields }: ChatToFit, contextLength: number) {
  const { text: model } = await preparation.models.find(fields.model);
  const room = Math.max(contextLength - (fields.max_tokens ?? 1), contextLength >> 1);
  const head = fields.messages.findIndex(({ role }) => role !== "system" && role !== "developer");
  const from = (start: number): readonly MessageFields[] => [
    ...fields.messages.slice(0, head),
    ...fields.messages.slice(start),
  ];
  const fits = async (messages: readonly MessageFields[]): Promise<boolean> => {
    try {
      return (await chatPrompt(model, { ...fields, messages }, owner)).length <= room;
    } catch (error) {
      if (contextOf(error) === undefined) throw error;
      return false;
    }
  };
  const starts = [...fields.messages.entries()].flatMap(([at, { role }]) => (at > head && role === "user" ? [at] : []));
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await fits(from(starts[middle] ?? 0))) high = middle;
    else low = middle + 1;
  }
  const start = starts[low];
  return start === undefined ? undefined : from(start);
}

const wantsLogprobs = ({ include, top_logprobs }: ResponseRequest): boolean =>
  include?.includes("message.output_text.logprobs") === true || (top_logprobs ?? 0) > 0;

/** The same request as a chat. */
function toChat({ fields, items }: AskedResponse): ChatRequest {
  const { model, instructions, tools, tool_choice, parallel_tool_calls, text, max_output_tokens, top_logprobs } =
    fields;
  const { temperature, top_p, top_k, min_p, seed, stop, stream, stream_options } = fields;
  const { repetition_penalty, presence_penalty, frequency_penalty, ignore_eos, min_tokens, cache_salt } = fields;
  const logprobs = wantsLogprobs(fields);
  // Before they are read: calls that follow one another become one message.
  if (items.length > MOST_ITEMS) {
    const problem = `input: with the previous responses it has ${items.length} items, ${MOST_ITEMS} at most`;
    throw new RequestError("INVALID_REQUEST", `${problem}; begin a new conversation.`, { param: "input" });
  }
  const spoken = toMessages(items);
  if (!isFilled(spoken))
    throw new RequestError("INVALID_REQUEST", "input: send a text, or at least one item.", { param: "input" });
  const messages =
    instructions === undefined ? spoken : [{ role: "system" as const, content: instructions }, ...spoken];
  return chatOf({
    // The answer is a message of its own: OpenAI describes an assistant's as one that a model has ended.
    continue_final_message: false,
    ...{ messages, model, temperature, top_p, top_k, min_p, seed, stop, stream, parallel_tool_calls },
    ...{ repetition_penalty, presence_penalty, frequency_penalty, ignore_eos, min_tokens, cache_salt },
    max_tokens: max_output_tokens,
    logprobs,
    top_logprobs: logprobs ? top_logprobs : undefined,
    stream_options:
      stream_options === undefined
        ? undefined
        : { resumable: stream_options.resumable, include_usage: undefined, continuous_usage_stats: undefined },
    tools: tools?.map(({ type, ...declared }) => ({ type, function: declared })),
    tool_choice: toChatChoice(tool_choice),
    response_format: toChatFormat(text?.format),
  });
}

function toChatChoice(choice: ResponseRequest["tool_choice"]): ChatRequest["tool_choice"] {
  if (choice === undefined || typeof choice === "string") return choice;
  if (choice.type === "function") return { type: "function", function: { name: choice.name } };
  const { type, mode, tools } = choice;
  return { type, allowed_tools: { mode, tools: tools.map(({ name }) => ({ type: "function", function: { name } })) } };
}

type Format = NonNullable<ResponseRequest["text"]>["format"];

function toChatFormat(format: Format): ChatRequest["response_format"] {
  if (format === undefined || format.type === "text") return undefined;
  if (format.type === "json_object") return { type: "json_object", schema: undefined };
  const asked = { schema: format.schema, schema_definition: undefined, strict: format.strict };
  return { type: "json_schema", json_schema: asked, schema: undefined };
}

/** What the response repeats of its request. */
function echoOf({ fields, isStored }: AskedResponse): Readonly<Record<string, unknown>> {
  const { instructions, metadata, tools, tool_choice, text, user, max_tool_calls } = fields;
  return {
    background: fields.background ?? false,
    instructions: instructions ?? null,
    max_output_tokens: fields.max_output_tokens ?? null,
    ...(max_tool_calls !== undefined && { max_tool_calls }),
    metadata: metadata ?? {},
    parallel_tool_calls: fields.parallel_tool_calls ?? true,
    previous_response_id: fields.previous_response_id ?? null,
    prompt_cache_key: fields.prompt_cache_key ?? null,
    reasoning: { effort: null, summary: null },
    safety_identifier: fields.safety_identifier ?? null,
    service_tier: "default",
    store: isStored,
    temperature: fields.temperature ?? 1,
    text: { format: echoFormat(text?.format), verbosity: "medium" },
    tool_choice: tool_choice ?? "auto",
    tools: (tools ?? []).map(({ type, name, description, parameters, strict }) => ({
      type,
      name,
      description: description ?? null,
      parameters: parameters ?? null,
      strict: strict ?? null,
    })),
    top_logprobs: fields.top_logprobs ?? 0,
    top_p: fields.top_p ?? 1,
    truncation: fields.truncation ?? "disabled",
    ...(user !== undefined && { user }),
  };
}

function echoFormat(format: Format) {
  if (format?.type !== "json_schema") return format ?? { type: "text" };
  const { type, name, description, schema, strict } = format;
  return {
    type,
    name: name ?? "response",
    ...(description !== undefined && { description }),
    schema,
    strict: strict ?? null,
  };
}
