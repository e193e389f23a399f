import type { Turn } from "./answer.ts";
import type { ToolCall } from "./answer-stream.ts";

/** The calls of the last answer, which the next message answers. */
export function openCalls(said: readonly Turn[]): readonly ToolCall[] {
  const last = said.at(-1);
  return last?.role === "assistant" ? last.calls.filter(isWhole) : [];
}

/**
 * The conversation as the API takes it. What follows an answer with calls is their result: templates take nothing else
 * there. Left out are calls that were stopped before they were whole, and an answer that then says nothing.
 */
export function messagesOf(said: readonly Turn[], system: string): readonly object[] {
  return [
    ...(system === "" ? [] : [{ role: "system", content: system }]),
    ...said.flatMap((turn, at): readonly object[] => {
      if (turn.role === "user") {
        const calls = openCalls(said.slice(0, at));
        if (calls.length === 0) return [{ role: "user", content: turn.text }];
        return calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: turn.text }));
      }
      const calls = turn.calls.filter(isWhole);
      if (turn.text === "" && calls.length === 0) return [];
      return [{ role: "assistant", content: turn.text, ...(calls.length > 0 && { tool_calls: calls.map(toField) }) }];
    }),
  ];
}

const toField = ({ id, name, arguments: text }: ToolCall) => ({
  id,
  type: "function",
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
