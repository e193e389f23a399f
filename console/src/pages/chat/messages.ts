import type { Turn } from "./answer.ts";

/** A conversation as the API takes it; "" = no system prompt. An answer that failed before it said anything is left out. */
export function messagesOf(system: string, said: readonly Turn[]): readonly object[] {
  return [...(system === "" ? [] : [{ role: "system", content: system }]), ...said.flatMap(messagesOfTurn)];
}

function messagesOfTurn(turn: Turn): readonly object[] {
  if (turn.role === "user") return [{ role: "user", content: turn.text }];
  if (turn.role === "tool")
    return turn.results.map(({ callId, text }) => ({ role: "tool", tool_call_id: callId, content: text }));
  if (turn.text === "" && turn.calls.length === 0) return [];
  const calls = turn.calls.map(({ id, name, arguments: text }) => {
    return { id, type: "function", function: { name, arguments: text } };
  });
  return [{ role: "assistant", content: turn.text, ...(calls.length > 0 && { tool_calls: calls }) }];
}
