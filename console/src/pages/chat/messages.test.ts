import { expect, it } from "vitest";
import type { Answer, Turn } from "./answer.ts";
import { messagesOf, openCalls } from "./messages.ts";

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
  expect(messagesOf(said, "")).toEqual(spoken);
  expect(messagesOf(said, "Be brief")).toEqual([{ role: "system", content: "Be brief" }, ...spoken]);
});

it("leave out calls that broke off, and an answer that says nothing else", () => {
  const calls = [{ index: 0, id: "a", name: "look", arguments: '{"ci' }];
  for (const silent of [answer({ state: "failed" }), answer({ state: "stopped", calls })]) {
    expect(messagesOf([question, silent], "")).toEqual([{ role: "user", content: "Warm?" }]);
    expect(openCalls([question, silent])).toEqual([]);
  }
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
  const called = answer({ calls });
  expect(openCalls([question, called])).toEqual(calls);
  expect(openCalls([question, { ...called, state: "streaming" }])).toEqual([]);
  expect(openCalls([question, called, results])).toEqual([]);
  expect(messagesOf([question, called, results], "").slice(1)).toEqual([
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
