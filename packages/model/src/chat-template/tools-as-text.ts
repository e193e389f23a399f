import type { ChatMessage, ChatTool } from "./chat-message.js";
import { dumpJson } from "./python-json.js";
import { callJson } from "./tool-calls.js";

const INSTRUCTIONS =
  "You can call the functions below. To call one, answer with nothing but a JSON object " +
  '{"name": the function, "arguments": its arguments}; to call several at once, with nothing but a list of such objects. ' +
  "Call none where you can answer without.";

/**
 * The same conversation for templates without a form for functions: a system message lists them, calls become the JSON
 * that INSTRUCTIONS ask for, results become user messages. Throws CHAT_TEMPLATE_FAILED.
 */
export function toolsAsText(messages: readonly ChatMessage[], tools: readonly ChatTool[] = []): readonly ChatMessage[] {
  const turns: ChatMessage[] = [];
  const called = new Map<string, string>();
  for (const [position, message] of messages.entries()) {
    const turn = message.role === "tool" ? resultTurn(message, called) : answerTurn(message);
    for (const { id, name } of message.toolCalls ?? []) called.set(id, name);
    const previous = turns.at(-1);
    if (message.role === "tool" && messages[position - 1]?.role === "tool" && previous !== undefined)
      turns[turns.length - 1] = { ...previous, content: `${previous.content}\n${turn.content}` };
    else turns.push(turn);
  }
  return tools.length === 0 ? turns : introduced(turns, tools);
}

/** Appends the list of functions to the first system message, or adds one. */
function introduced(turns: readonly ChatMessage[], tools: readonly ChatTool[]): readonly ChatMessage[] {
  const listed = tools.map(({ name, description, parameters }) => ({ name, description, parameters }));
  const text = `${INSTRUCTIONS}\n${dumpJson(listed)}`;
  const [first, ...rest] = turns;
  if (first?.role !== "system") return [{ role: "system", content: text }, ...turns];
  return [{ ...first, content: `${first.content ?? ""}\n\n${text}` }, ...rest];
}

function answerTurn(message: ChatMessage): ChatMessage {
  const { toolCalls, ...rest } = message;
  if (toolCalls === undefined || toolCalls.length === 0) return rest;
  const calls = toolCalls.map((call) => `${callJson(call)}}`);
  const json = calls.length === 1 ? calls.join("") : `[${calls.join(", ")}]`;
  return { ...rest, content: message.content ? `${message.content}\n${json}` : json };
}

/** `called`: the functions that were called before, by the calls' ids. */
function resultTurn({ content, name, toolCallId = "" }: ChatMessage, called: ReadonlyMap<string, string>): ChatMessage {
  const of = name ?? called.get(toolCallId);
  return { role: "user", content: `Result${of === undefined ? "" : ` of ${of}`}: ${content ?? ""}` };
}
