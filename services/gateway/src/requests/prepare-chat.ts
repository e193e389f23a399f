import { timed } from "@rhone/common";
import { z } from "zod";
import { answerBytes } from "../answers/answer-bytes.js";
import { announcement } from "../answers/calls/call-format.js";
import type { ChatWriterOptions } from "../answers/chat-writer.js";
import { openWriter, WRITER_VERSION, type WriterRecord } from "../answers/writer-record.js";
import { refuseParam } from "../request-error.js";
import type { TextModel } from "../text/text-model.js";
import { timeLeft } from "../turns.js";
import {
  type Conversation,
  conversationOptions,
  type MessageFields,
  messagesSchema,
  toConversation,
} from "./conversation.js";
import { inWordsOf } from "./in-words-of.js";
import {
  deliveryOf,
  frameOf,
  jobsOf,
  type OpenRequest,
  openRequest,
  type Prepare,
  type PreparedRequest,
} from "./prepare.js";
import { answerTokens, generationFields, optional, parseLongRequest, UNTIL_FULL } from "./request-fields.js";
import { readConstraint } from "./structured/read-constraint.js";
import { structuredFields } from "./structured/structured-fields.js";
import { type CallRules, callRules } from "./tools/call-rules.js";
import { FUNCTION_NAMES, legacyFunctionFields, toolsOf } from "./tools/legacy-functions.js";
import { toolFields } from "./tools/tool-fields.js";
import { toToolUse } from "./tools/tool-use.js";

/** POST /v1/chat/completions. */
export const chatRequestSchema = z.object({
  ...generationFields,
  ...toolFields,
  ...legacyFunctionFields,
  messages: messagesSchema,
  max_completion_tokens: answerTokens(UNTIL_FULL),
  logprobs: optional(z.boolean()),
  top_logprobs: optional(z.number().int().min(0).max(20)),
  ...conversationOptions,
  ...structuredFields,
});
type ChatBody = Readonly<z.infer<typeof chatRequestSchema>>;
/** The fields of a chat as they were read. */
export type ChatRequest = Omit<ChatBody, "messages"> & { readonly messages: readonly MessageFields[] };

const NO_FIELDS = chatRequestSchema.omit({ messages: true }).parse({});

/** A chat with these fields and no others. */
export const chatOf = (fields: Partial<ChatRequest> & Pick<ChatRequest, "messages">): ChatRequest => ({
  ...NO_FIELDS,
  ...fields,
});

/** An API whose requests are chats. */
export interface ChatApi {
  /** As in OpenRequest. */
  readonly prefix: string;
  /** The record of the writer of its answers, which have `maxTokens` at most. */
  readonly record: (options: ChatWriterOptions, maxTokens: number) => WriterRecord;
  /** As in JobPlan. */
  readonly endsWithContext?: boolean;
}

const CHAT: ChatApi = {
  prefix: "chatcmpl-",
  record: (options) => ({ version: WRITER_VERSION, kind: "chat", options }),
};

/** Answers have `function_call` in the place of `tool_calls`. */
const CHAT_WITH_FUNCTIONS: ChatApi = {
  ...CHAT,
  record: (options, maxTokens) => CHAT.record({ ...options, legacyCalls: true }, maxTokens),
};

/** Prepares a chat completion. */
export const prepareChat: Prepare = async (preparation, body, arrival) => {
  const fields = await parseLongRequest(chatRequestSchema, body);
  const tools = toolsOf(fields, fields);
  if (tools === null) return prepareConversation(CHAT, { preparation, arrival, fields });
  const chat = { preparation, arrival, fields: { ...fields, ...tools } };
  return inWordsOf(FUNCTION_NAMES, () => prepareConversation(CHAT_WITH_FUNCTIONS, chat));
};

type ChatToPrepare = Pick<OpenRequest, "preparation" | "arrival"> & { readonly fields: ChatRequest };

/** Prepares a chat, of whichever API it came in. Throws as `Prepare` does. */
export async function prepareConversation(api: ChatApi, chat: ChatToPrepare): Promise<PreparedRequest> {
  const { preparation, arrival, fields } = chat;
  const maxTokens = checkLimits(fields);
  const request = await openRequest({ preparation, arrival, prefix: api.prefix, fields });
  const { promptIds, constraint, warnings, shape } = await readChat(request, fields);
  const wantsLogprobs = fields.logprobs === true;
  const samples = fields.n ?? 1;
  const jobs = await jobsOf(request, {
    prompts: [promptIds],
    paramOf: () => "messages",
    samples,
    maxTokens,
    endsWithContext: api.endsWithContext ?? false,
    logprobs: wantsLogprobs ? (fields.top_logprobs ?? 0) : null,
    promptLogprobs: fields.prompt_logprobs ?? null,
    constraint,
    hiddenSpace: shape.stripsSpace,
  });
  const wantsPromptLogprobs = fields.prompt_logprobs !== undefined;
  const frame = { ...frameOf(request, warnings), ...shape };
  const options = { ...frame, choices: samples, promptIds, wantsLogprobs, wantsPromptLogprobs };
  const record = api.record(options, jobs[0]?.maxTokens ?? 0);
  const writer = openWriter(record, request.model);
  const delivery = deliveryOf(fields);
  const bytes = answerBytes(jobs, { ...delivery, calls: shape.calls !== null, ids: options.wantsTokenIds });
  return { jobs, statesLimit: maxTokens !== undefined, writer, record, answerBytes: bytes, ...delivery };
}

/** The prompt of a chat, and the shape of its answers. */
async function readChat({ model, grammars, arrival: { owner, span } }: OpenRequest, fields: ChatRequest) {
  // Each walks through all tools and messages: 100 ms in one turn for 50,000 values.
  await timeLeft();
  const { conversation, calls } = readConversation(model, fields);
  await timeLeft();
  const { continued, showsContinued } = conversation;
  // A generated text begins with the tokenizer's space, or with one that its prompt lost at its end.
  const lostSpace = model.trimsAnswers && continued?.trim() !== "" && continued?.endsWith(" ") === true;
  const stripsSpace = model.addsLeadingSpace && (!continued || lostSpace);
  const form = { leadingSpace: stripsSpace, calls, owner, span };
  const { constraint, warnings } = await readConstraint(grammars, fields, form);
  await timeLeft();
  const promptIds = await timed(span, "tokenize", () =>
    encodePrompt(model, { conversation, calls }, { last: fields.truncate_prompt_tokens, owner }),
  );
  const opening = showsContinued ? (continued ?? "") : "";
  return { promptIds, constraint, warnings, shape: { stripsSpace, opening, calls: calls?.format ?? null } };
}

/** The tokens of a chat's prompt. Throws as `Prepare` does. */
export const chatPrompt = (model: TextModel, fields: ChatRequest, owner: string): Promise<readonly number[]> =>
  encodePrompt(model, readConversation(model, fields), { owner });

interface AskedConversation {
  readonly conversation: Conversation;
  /** undefined: the answer makes no calls. */
  readonly calls: CallRules | undefined;
}

function readConversation(model: TextModel, fields: ChatRequest): AskedConversation {
  const use = toToolUse(fields);
  const conversation = toConversation(fields, use?.tools);
  const { continued } = conversation;
  if (use?.forced && continued !== undefined)
    refuseParam("tool_choice", ": an answer that continues a message cannot be a call.");
  const calls = use === undefined || continued !== undefined ? undefined : callRules(use, model.callToken);
  return { conversation, calls };
}

async function encodePrompt(
  model: TextModel,
  { conversation: { messages, options }, calls }: AskedConversation,
  how: Parameters<TextModel["encodeChat"]>[2],
): Promise<readonly number[]> {
  const encoded = await model.encodeChat(messages, options, how);
  return calls === undefined ? encoded : [...encoded, ...announcement(calls.format)];
}

/** The tokens asked for. Throws INVALID_REQUEST. */
function checkLimits(fields: ChatRequest): number | undefined {
  if (fields.top_logprobs !== undefined && fields.logprobs !== true)
    refuseParam("top_logprobs", " needs logprobs: true.");
  if (fields.prompt_logprobs !== undefined && fields.stream === true)
    refuseParam("prompt_logprobs", " cannot be streamed; leave stream out.");
  const maxTokens = fields.max_completion_tokens ?? fields.max_tokens;
  if (maxTokens === 0) refuseParam("max_tokens", ": must be 1 or more.");
  return maxTokens;
}
