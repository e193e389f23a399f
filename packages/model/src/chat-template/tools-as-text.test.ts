import { expect, test, vi } from "vitest";
import type { ChatMessage } from "./chat-message.js";
import { toolsAsText } from "./tools-as-text.js";

const user: ChatMessage = { role: "user", content: "Weather?" };
const call = (id: string, place: string) => ({ id, name: "weather", arguments: `{"place":"${place}"}` });
const calls = (...toolCalls: ReturnType<typeof call>[]): ChatMessage => ({
  role: "assistant",
  content: null,
  toolCalls,
});
const result = (toolCallId: string, content: string): ChatMessage => ({ role: "tool", content, toolCallId });
const tools = [{ name: "weather", description: "Today's", parameters: { type: "object" } }, { name: "now" }];

test("functions are listed in a system message of their own, or behind the first", () => {
  const [own, asked] = toolsAsText([user], tools);
  expect(asked).toEqual(user);
  expect(own?.role).toBe("system");
  const listed = '[{"name": "weather", "description": "Today\'s", "parameters": {"type": "object"}}, {"name": "now"}]';
  expect(own?.content).toMatch(/^You can call the functions below\./);
  expect(own?.content?.endsWith(`\n${listed}`)).toBe(true);
  const [joined, ...rest] = toolsAsText([{ role: "system", content: "Be brief." }, user], tools);
  expect(joined).toEqual({ role: "system", content: `Be brief.\n\n${own?.content}` });
  expect(rest).toEqual([user]);
});

test("calls become what an answer looks like, results what the user says next", () => {
  const turns = toolsAsText([user, calls(call("a", "Lyon")), result("a", "22")]);
  expect(turns).toEqual([
    user,
    { role: "assistant", content: '{"name": "weather", "arguments": {"place": "Lyon"}}' },
    { role: "user", content: "Result of weather: 22" },
  ]);
});

test("several calls are a list, and their results one message", () => {
  const two = { ...calls(call("a", "Lyon"), call("b", "Nice")), content: "I look." };
  const [, answer, results, ...rest] = toolsAsText([user, two, result("a", "22"), { ...result("?", "25"), name: "w" }]);
  expect(answer?.content).toBe(
    'I look.\n[{"name": "weather", "arguments": {"place": "Lyon"}}, {"name": "weather", "arguments": {"place": "Nice"}}]',
  );
  expect(results).toEqual({ role: "user", content: "Result of weather: 22\nResult of w: 25" });
  expect(rest).toEqual([]);
});

test("a message is read as often before many results as before one", () => {
  const toolCalls = vi.fn(() => [call("a", "Lyon")]);
  const answer: ChatMessage = Object.defineProperty({ role: "assistant", content: null }, "toolCalls", {
    get: toolCalls,
    enumerable: true,
  });
  const [, , results] = toolsAsText([user, answer, ...Array.from({ length: 1000 }, () => result("a", "22"))]);
  expect(results?.content?.endsWith("Result of weather: 22")).toBe(true);
  expect(toolCalls.mock.calls.length).toBeLessThan(10);
});

test("a conversation without functions stays as it is", () => {
  expect(toolsAsText([user, { role: "assistant", content: "Fine." }, user])).toEqual([
    user,
    { role: "assistant", content: "Fine." },
    user,
  ]);
});
