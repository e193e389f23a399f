import type { Turn } from "./answer.ts";
import type { ToolCall } from "./answer-stream.ts";

/** The calls with which a conversation ends, and whose results it needs to go on. */
export function openCalls(said: readonly Turn[]): readonly ToolCall[] {
  const last = said.at(-1);
  return last?.role === "assistant" && last.state !== "streaming" ? last.calls.filter(isWhole) : [];
}

/**
 * A conversation as the API takes it; "" = no system prompt. Left out are calls that broke off before they were whole,
 * and an answer that then says nothing.
 */
export function messagesOf(said: readonly Turn[], system: string): readonly object[] {
  return [...(system === "" ? [] : [{ role: "system", content: system }]), ...said.flatMap(messagesOfTurn)];
}

function messagesOfTurn(turn: Turn): readonly object[] {
  if (turn.role === "user") return [{ role: "user", content: turn.text }];
  if (turn.role === "tool")
    return turn.results.map(({ callId, text }) => ({ role: "tool", tool_call_id: callId, content: text }));
  const calls = turn.calls.filter(isWhole);
  if (turn.text === "" && calls.length === 0) return [];
  return [{ role: "assistant", content: turn.text, ...(calls.length > 0 && { tool_calls: calls.map(toField) }) }];
}

const toField = ({ id, name, arguments: text }: ToolCall) => ({
  ...{ id, type: "function" },
  function: { name, arguments: text },
});

function isWhole({ arguments: text }: ToolCall): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
