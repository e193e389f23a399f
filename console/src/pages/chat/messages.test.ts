import { expect, it } from "vitest";
import type { Answer, Turn } from "./answer.ts";
import { messagesOf } from "./messages.ts";

const answer = (changes: Partial<Answer>): Answer => ({
  ...{ role: "assistant", id: 2, text: "", scored: [], calls: [], state: "ended", problem: "", finish: "" },
  ...{ usage: null, firstMs: null, lastMs: null },
  ...changes,
});
const question: Turn = { role: "user", id: 1, text: "Warm?" };

it("are the system prompt, if there is one, and what was said", () => {
  const said = [question, answer({ text: "Yes." })];
  const spoken = [
    { role: "user", content: "Warm?" },
    { role: "assistant", content: "Yes." },
  ];
  expect(messagesOf("", said)).toEqual(spoken);
  expect(messagesOf("Be brief", said)).toEqual([{ role: "system", content: "Be brief" }, ...spoken]);
});

it("leave an answer out that failed before it said anything", () => {
  expect(messagesOf("", [question, answer({ state: "failed" })])).toEqual([{ role: "user", content: "Warm?" }]);
});

it("carry each result with the id of its call", () => {
  const call = (index: number, id: string, text: string) => ({ index, id, name: "look", arguments: text });
  const results: Turn = {
    ...{ role: "tool", id: 3 },
    results: [
      { callId: "a", name: "look", text: "3" },
      { callId: "b", name: "look", text: "7" },
    ],
  };
  const calls = [call(0, "a", '{"city":1}'), call(1, "b", '{"city":2}')];
  expect(messagesOf("", [question, answer({ calls }), results]).slice(1)).toEqual([
    {
      ...{ role: "assistant", content: "" },
      tool_calls: [
        { id: "a", type: "function", function: { name: "look", arguments: '{"city":1}' } },
        { id: "b", type: "function", function: { name: "look", arguments: '{"city":2}' } },
      ],
    },
    { role: "tool", tool_call_id: "a", content: "3" },
    { role: "tool", tool_call_id: "b", content: "7" },
  ]);
});
