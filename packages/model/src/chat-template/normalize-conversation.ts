import { type ChatMessage, cannotEncode } from "./chat-message.js";

/** A conversation that Mistral's templates can encode: the system text, then users and answers in turn. */
export interface Conversation {
  /** All system messages, joined. */
  readonly system: string | undefined;
  readonly turns: readonly ChatMessage[];
  /** Index in `turns` of the last user message. */
  readonly lastUser: number;
}

/**
 * As mistral-common does before it encodes: joins system messages, and consecutive messages of one role, with an empty
 * line, puts an empty user message before an assistant that begins, or where there is only a system message, and checks
 * the order of roles. Behind an assistant's text that is not to be continued, which mistral-common refuses, an empty
 * user message asks for the next one, if it `asks` for one. Throws CHAT_TEMPLATE_FAILED naming the message at fault by
 * its position in `messages`.
 */
export function normalizeConversation(messages: readonly ChatMessage[], { asks = true } = {}): Conversation {
  const system = messages.flatMap(({ role, content }) => (role === "system" && content ? [content] : []));
  const turns: ChatMessage[] = [];
  for (const [position, message] of messages.entries()) {
    if (message.role === "system") continue;
    const previous = turns.at(-1);
    checkOrder(previous, message, position);
    if (previous?.role === message.role && message.role !== "tool") turns[turns.length - 1] = merge(previous, message);
    else turns.push(message);
  }
  if (messages.length === 0) throw cannotEncode("messages is empty; give at least one");
  if (turns[0]?.role !== "user") turns.unshift(SILENT);
  if (isAnswered(turns.at(-1)) && asks) turns.push(SILENT);
  const lastUser = turns.findLastIndex(({ role }) => role === "user");
  return { system: system.length === 0 ? undefined : system.join("\n\n"), turns, lastUser };
}

const SILENT: ChatMessage = { role: "user", content: "" };

function checkOrder(previous: ChatMessage | undefined, message: ChatMessage, position: number): void {
  const allowed: Readonly<Record<string, readonly ChatMessage["role"][]>> = {
    start: ["user", "assistant"],
    user: ["user", "assistant"],
    assistant: previous?.toolCalls?.length ? ["assistant", "tool"] : ["assistant", "user"],
    tool: ["tool", "assistant", "user"],
  };
  const before = previous?.role ?? "start";
  if (allowed[before]?.includes(message.role)) return;
  const where =
    before === "start" ? "at the start" : `after ${previous?.toolCalls?.length ? "tool calls" : `the role ${before}`}`;
  throw cannotEncode(
    `messages.${position} has the role ${message.role} ${where}; after an optional system message, user and assistant must ` +
      "alternate, and tool messages must answer an assistant's tool calls",
    `messages.${position}`,
  );
}

/** Whether it is a whole text of an assistant. Throws CHAT_TEMPLATE_FAILED for calls, whose results must follow. */
function isAnswered(last: ChatMessage | undefined): boolean {
  if (last?.role !== "assistant" || last.prefix === true) return false;
  if (last.toolCalls?.length)
    throw cannotEncode("the last message calls functions; tool messages with their results must follow");
  return true;
}

function merge(first: ChatMessage, second: ChatMessage): ChatMessage {
  const content = [first.content, second.content].filter(Boolean).join("\n\n");
  const toolCalls = [...(first.toolCalls ?? []), ...(second.toolCalls ?? [])];
  return {
    role: first.role,
    content: content === "" ? null : content,
    ...(toolCalls.length > 0 && { toolCalls }),
    ...(second.prefix !== undefined && { prefix: second.prefix }),
  };
}
