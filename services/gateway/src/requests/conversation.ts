import type { ChatMessage, ChatOptions, ChatTool } from "@rhone/model";
import { z } from "zod";
import { cut, refuseParam } from "../request-error.js";
import { boundedObject, listInTurns, listOf } from "./long-fields.js";
import { optional } from "./request-fields.js";
import { toolCallSchema } from "./tools/tool-fields.js";

/** Characters of a part's type that a refusal repeats. */
const LONGEST_TYPE = 60;

const part = z
  .object({
    type: z.enum(["text", "refusal"], {
      error: ({ input }) =>
        typeof input === "string"
          ? `must be text: this model reads text only; ${cut(input, LONGEST_TYPE)} is not supported`
          : undefined,
    }),
    text: optional(z.string()),
    refusal: optional(z.string()),
  })
  .transform((read, { issues }) => {
    const { type } = read;
    const text = read[type];
    if (text !== undefined) return { type, text };
    issues.push({ code: "custom", path: [read.type], input: undefined, message: "must be a text" });
    return z.NEVER;
  });
const content = z.union([z.string(), listOf(part)]);
type Content = z.output<typeof content>;

/** What an assistant refused with is what it said. */
const textOf = (said: Content): string => (typeof said === "string" ? said : said.map(({ text }) => text).join(""));

const anyMessage = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool", "function"]),
  content: optional(content),
  refusal: optional(z.string()),
  tool_calls: optional(listOf(toolCallSchema)),
  function_call: optional(toolCallSchema.shape.function),
  tool_call_id: optional(z.string()),
  name: optional(z.string()),
  prefix: optional(z.boolean()),
});

const message = anyMessage.transform((read, { issues }) => {
  const problem = read.role === "assistant" ? problemOfAnswer(read) : problemOfOther(read);
  if (problem === undefined) return { ...read, content: read.content === undefined ? undefined : textOf(read.content) };
  const [path, must] = problem;
  issues.push({ code: "custom", path: [...path], input: "", message: must });
  return z.NEVER;
});

/** The field of a message that is not its role's, and what it must be. */
type Problem = readonly [path: readonly (string | number)[], must: string] | undefined;
type AnyMessage = z.output<typeof anyMessage>;

/** An answer may be calls or a refusal alone. */
function problemOfAnswer({ content, refusal, tool_calls, function_call }: AnyMessage): Problem {
  if (content !== undefined || refusal !== undefined || tool_calls?.length || function_call !== undefined)
    return undefined;
  return [["content"], "must be a text or a list, unless the message has tool_calls"];
}

function problemOfOther(message: AnyMessage): Problem {
  const { role, content } = message;
  const own = (["refusal", "tool_calls", "function_call"] as const).find((name) => message[name] !== undefined);
  if (own !== undefined && !(own === "tool_calls" && message.tool_calls?.length === 0))
    return [[own], `must be left out: only an assistant's message has one, and this one is of the role ${role}`];
  // Functions of OpenAI's older form may answer nothing.
  if (content === undefined)
    return role === "function" ? undefined : [["content"], `must be a text or a list: the role ${role} needs one`];
  const at = typeof content === "string" ? -1 : content.findIndex(({ type }) => type === "refusal");
  return at < 0
    ? undefined
    : [["content", at, "type"], `must be text: only an assistant refuses, not the role ${role}`];
}

/** A message as it was read. */
export type MessageFields = Readonly<Partial<z.output<typeof message>> & Pick<z.output<typeof message>, "role">>;

/** Twice what OpenAI takes. */
export const MOST_MESSAGES = 4096;

export const messagesSchema = listInTurns(message, MOST_MESSAGES)
  .refine((messages) => messages.length > 0, "must hold at least one message")
  .superRefine((messages, { addIssue }) => {
    const at = strayResult(messages);
    const message = "must be the id of a call before it; send the assistant's message that made the call as well";
    if (at >= 0) addIssue({ code: "custom", path: [at, "tool_call_id"], input: "", message });
  });

/** The index of the first result whose call no message before it made; -1 for none. Calls may lack an id. */
function strayResult(messages: readonly MessageFields[]): number {
  const called = new Set<string>();
  return messages.findIndex(({ role, tool_call_id: id, tool_calls = [], function_call }) => {
    for (const call of tool_calls) called.add(call.id ?? "");
    if (function_call !== undefined) called.add("");
    return role === "tool" && id !== undefined && id !== "" && !called.has(id) && !called.has("");
  });
}

/** How a conversation becomes a prompt. */
export const conversationOptions = {
  safe_prompt: optional(z.boolean()),
  add_generation_prompt: optional(z.boolean()),
  continue_final_message: optional(z.boolean()),
  echo: optional(z.boolean()),
  chat_template_kwargs: optional(boundedObject),
} as const;

const conversationSchema = z.object({ messages: messagesSchema, ...conversationOptions });
type ConversationFields = Readonly<
  Omit<z.infer<typeof conversationSchema>, "messages"> & { messages: readonly MessageFields[] }
>;

/** Mistral's wording for safe_prompt. */
const SAFE_PROMPT =
  "Always assist with care, respect, and truth. Respond with utmost utility yet securely. Avoid harmful, unethical, " +
  "prejudiced, or negative content. Ensure replies promote fairness and positivity.";

/** The input of a chat template. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly options: ChatOptions;
  /** The text that the answer continues; undefined when the answer is a new message. */
  readonly continued: string | undefined;
  /** The answer's content begins with `continued`. */
  readonly showsContinued: boolean;
}

/**
 * The conversation of a request. A final assistant message is continued: with `prefix` (Mistral) the answer repeats it,
 * with `continue_final_message` (vLLM) or by default (llama-server) only with `echo`. `tools`: the functions that the
 * model is shown. Throws INVALID_REQUEST for fields that contradict each other.
 */
export function toConversation(fields: ConversationFields, tools: readonly ChatTool[] = []): Conversation {
  const messages = toChatMessages(fields.messages);
  const last = messages.at(-1);
  const hasPrefix = last?.role === "assistant" && last.prefix === true;
  const continues = continuesLast(fields, last);
  const open = continues && last !== undefined ? [...messages.slice(0, -1), { ...last, prefix: true }] : messages;
  return {
    messages: fields.safe_prompt === true ? [{ role: "system", content: SAFE_PROMPT }, ...open] : open,
    options: optionsOf(fields, tools),
    continued: hasPrefix || continues ? (last?.content ?? "") : undefined,
    showsContinued: hasPrefix || (continues && fields.echo === true),
  };
}

/**
 * Whether the answer goes on behind the last message without `prefix`: if that was asked, or if nothing was and an
 * assistant wrote it.
 */
function continuesLast(fields: ConversationFields, last: ChatMessage | undefined): boolean {
  const { continue_final_message: asked, add_generation_prompt: begins } = fields;
  if (asked === true) checkContinuation(fields, last);
  if (asked !== undefined || begins !== undefined) return asked === true;
  return last?.role === "assistant" && !last.toolCalls?.length;
}

function optionsOf(fields: ConversationFields, tools: readonly ChatTool[]): ChatOptions {
  const { add_generation_prompt: addGenerationPrompt, chat_template_kwargs: templateArguments } = fields;
  return {
    ...(tools.length > 0 && { tools }),
    ...(addGenerationPrompt !== undefined && { addGenerationPrompt }),
    ...(templateArguments !== undefined && { templateArguments }),
  };
}

function checkContinuation({ add_generation_prompt }: ConversationFields, last: ChatMessage | undefined): void {
  const param = "continue_final_message";
  if (last?.role !== "assistant") refuseParam(param, " needs an assistant message at the end.");
  if (add_generation_prompt === true) refuseParam(param, " and add_generation_prompt exclude each other.");
}

const ROLES = { developer: "system", function: "tool" } as const;

/** The messages by the names that templates use. A message of the role function answers the call before it. */
function toChatMessages(messages: ConversationFields["messages"]): ChatMessage[] {
  let legacyId = "";
  return messages.map((message, index) => {
    const { role, content, refusal, tool_calls = [], function_call, name, prefix } = message;
    if (function_call !== undefined) legacyId = `function-${index}`;
    const calls = [...tool_calls, ...(function_call === undefined ? [] : [{ id: legacyId, function: function_call }])];
    const tool_call_id = role === "function" ? legacyId : message.tool_call_id;
    return {
      role: role === "developer" || role === "function" ? ROLES[role] : role,
      content: content ?? refusal ?? null,
      ...(calls.length > 0 && { toolCalls: calls.map((call) => ({ id: call.id ?? "", ...call.function })) }),
      ...(tool_call_id !== undefined && { toolCallId: tool_call_id }),
      ...(name !== undefined && { name }),
      ...(prefix !== undefined && { prefix }),
    };
  });
}
