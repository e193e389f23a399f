import { expect, it } from "vitest";
import type { Answer, Turn } from "./answer.ts";
import { messagesOf, openCalls } from "./messages.ts";

const asked = (text: string): Turn => ({ role: "user", id: 1, text });
const said = (changes: Partial<Answer>): Answer => ({
  ...{ role: "assistant", id: 2, text: "", scored: [], calls: [], state: "ended", problem: "", finish: "stop" },
  ...{ usage: null, firstMs: null, lastMs: null },
  ...changes,
});
const call = { index: 0, id: "c1", name: "get_weather", arguments: '{"city":"Lyon"}' };

it("are what was said, behind the system prompt", () => {
  expect(messagesOf([asked("hi"), said({ text: "Hello" }), asked("and?")], "Be brief")).toEqual([
    { role: "system", content: "Be brief" },
    { role: "user", content: "hi" },
    { role: "assistant", content: "Hello" },
    { role: "user", content: "and?" },
  ]);
});

it("give a call the next message as its result", () => {
  const turns = [asked("weather?"), said({ calls: [call, { ...call, index: 1, id: "c2" }] })];
  expect(openCalls(turns).map(({ name }) => name)).toEqual(["get_weather", "get_weather"]);
  expect(messagesOf([...turns, asked("12 °C"), said({ text: "Cold" }), asked("thanks")], "").slice(1)).toMatchObject([
    { role: "assistant", tool_calls: [{ id: "c1" }, { id: "c2" }] },
    { role: "tool", tool_call_id: "c1", content: "12 °C" },
    { role: "tool", tool_call_id: "c2", content: "12 °C" },
    { role: "assistant", content: "Cold" },
    { role: "user", content: "thanks" },
  ]);
});

it("leave out a call that was stopped in its middle, and an answer without anything else", () => {
  const stopped = said({ state: "stopped", calls: [{ ...call, arguments: '{"ci' }] });
  expect(messagesOf([asked("weather?"), stopped, asked("never mind")], "")).toEqual([
    { role: "user", content: "weather?" },
    { role: "user", content: "never mind" },
  ]);
});
