import type { ChatMessage, ChatOptions, ChatTool } from "@rhone/model";
import { RequestError } from "../request-error.js";
import type { ChatRequest } from "./chat-request.js";

/** Mistral's own words for safe_prompt. */
const SAFE_PROMPT =
  "Always assist with care, respect, and truth. Respond with utmost utility yet securely. Avoid harmful, unethical, " +
  "prejudiced, or negative content. Ensure replies promote fairness and positivity.";

/** What a chat template is given. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly options: ChatOptions;
  /** The text that the answer goes on from; undefined when it starts afresh. */
  readonly continued: string | undefined;
  /** The answer's content begins with `continued`. */
  readonly showsContinued: boolean;
}

type Fields = Pick<
  ChatRequest,
  "messages" | "safe_prompt" | "add_generation_prompt" | "continue_final_message" | "echo" | "chat_template_kwargs"
>;

/**
 * The conversation of a request. An assistant message at its end is continued with `prefix` (Mistral: the answer repeats it) or
 * `continue_final_message` (vLLM: the answer repeats it with `echo`). `tools`: what the model is shown. Throws INVALID_REQUEST where they contradict each other.
 */
export function toConversation(fields: Fields, tools: readonly ChatTool[] = []): Conversation {
  const messages = toChatMessages(fields.messages);
  const last = messages.at(-1);
  const hasPrefix = last?.role === "assistant" && last.prefix === true;
  const continues = fields.continue_final_message === true;
  if (continues) checkContinuation(fields, last);
  const open = continues && last !== undefined ? [...messages.slice(0, -1), { ...last, prefix: true }] : messages;
  return {
    messages: fields.safe_prompt === true ? [{ role: "system", content: SAFE_PROMPT }, ...open] : open,
    options: {
      ...(tools.length > 0 && { tools }),
      ...(fields.add_generation_prompt !== undefined && { addGenerationPrompt: fields.add_generation_prompt }),
      ...(fields.chat_template_kwargs !== undefined && { templateArguments: fields.chat_template_kwargs }),
    },
    continued: hasPrefix || continues ? (last?.content ?? "") : undefined,
    showsContinued: hasPrefix || (continues && fields.echo === true),
  };
}

function checkContinuation({ add_generation_prompt }: Fields, last: ChatMessage | undefined): void {
  const param = "continue_final_message";
  if (last?.role !== "assistant") {
    throw new RequestError("INVALID_REQUEST", `${param} needs an assistant message at the end.`, { param });
  }
  if (add_generation_prompt === true) {
    throw new RequestError("INVALID_REQUEST", `${param} and add_generation_prompt exclude each other.`, { param });
  }
}

/** The messages in the names of templates. */
export function toChatMessages(messages: ChatRequest["messages"]): ChatMessage[] {
  return messages.map(({ role, content, tool_calls, tool_call_id, name, prefix }) => ({
    role: role === "developer" ? "system" : role,
    content: content ?? null,
    ...(tool_calls !== undefined && { toolCalls: tool_calls.map((call) => ({ id: call.id ?? "", ...call.function })) }),
    ...(tool_call_id !== undefined && { toolCallId: tool_call_id }),
    ...(name !== undefined && { name }),
    ...(prefix !== undefined && { prefix }),
  }));
}
