import { describe, expect, test } from "vitest";
import type { ChatMessage } from "./chat-message.js";
import { normalizeConversation } from "./normalize-conversation.js";

const say = (role: ChatMessage["role"], content: string | null, more: Partial<ChatMessage> = {}): ChatMessage => ({
  role,
  content,
  ...more,
});
const toolCalls = [{ id: "a", name: "f", arguments: "{}" }];

describe("normalizeConversation", () => {
  test("takes system messages out, wherever they are, and joins them with an empty line", () => {
    const { system, turns } = normalizeConversation([say("system", "a"), say("user", "x"), say("system", "b")]);
    expect(system).toBe("a\n\nb");
    expect(turns).toEqual([say("user", "x")]);
    expect(normalizeConversation([say("user", "x")]).system).toBeUndefined();
    expect(normalizeConversation([say("system", ""), say("user", "x"), say("system", "b")]).system).toBe("b");
    expect(normalizeConversation([say("system", ""), say("user", "x")]).system).toBeUndefined();
  });

  test.each<[string, readonly ChatMessage[], readonly ChatMessage[]]>([
    ["two users", [say("user", "x"), say("user", "y")], [say("user", "x\n\ny")]],
    [
      "users around a system message",
      [say("user", "x"), say("system", "s"), say("user", "y")],
      [say("user", "x\n\ny")],
    ],
    ["an empty message", [say("user", "x"), say("user", "")], [say("user", "x")]],
    [
      "an answer and its calls",
      [say("user", "x"), say("assistant", "I look."), say("assistant", null, { toolCalls }), say("tool", "1")],
      [say("user", "x"), say("assistant", "I look.", { toolCalls }), say("tool", "1")],
    ],
    [
      "the mark of an answer to continue",
      [say("user", "x"), say("assistant", "a"), say("assistant", "b", { prefix: true })],
      [say("user", "x"), say("assistant", "a\n\nb", { prefix: true })],
    ],
  ])("joins %s", (_, messages, expected) => {
    expect(normalizeConversation(messages).turns).toEqual(expected);
  });

  test.each<[string, readonly ChatMessage[], readonly ChatMessage[]]>([
    ["an assistant", [say("assistant", "a"), say("user", "x")], [say("assistant", "a"), say("user", "x")]],
    [
      "an answer to continue",
      [say("system", "s"), say("assistant", "a", { prefix: true })],
      [say("assistant", "a", { prefix: true })],
    ],
    ["nobody but a system message", [say("system", "s")], []],
  ])("puts an empty user message before %s", (_, messages, after) => {
    const { turns, lastUser } = normalizeConversation(messages);
    expect(turns).toEqual([say("user", ""), ...after]);
    expect(turns[lastUser]?.role).toBe("user");
  });

  test("puts an empty user message behind an assistant that is not to be continued", () => {
    const messages = [say("user", "x"), say("assistant", "a")];
    const { turns, lastUser } = normalizeConversation(messages);
    expect(turns).toEqual([...messages, say("user", "")]);
    expect(lastUser).toBe(2);
    expect(normalizeConversation(messages, { asks: false }).turns).toEqual(messages);
  });

  test("keeps the results of several calls apart", () => {
    const calls = say("assistant", null, { toolCalls: [...toolCalls, ...toolCalls] });
    const { turns } = normalizeConversation([say("user", "x"), calls, say("tool", "1"), say("tool", "2")]);
    expect(turns.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool"]);
  });

  test.each([
    [["user"], 0],
    [["user", "assistant", "user"], 2],
    [["user", "user", "assistant", "user", "user"], 2],
  ] as const)("finds the last user of %o at turn %d", (roles, expected) => {
    expect(normalizeConversation(roles.map((role) => say(role, "x"))).lastUser).toBe(expected);
  });

  test.each<[string, readonly ChatMessage[], RegExp]>([
    ["nobody", [], /messages is empty; give at least one/],
    ["a tool that begins", [say("tool", "1")], /messages\.0 has the role tool at the start/],
    [
      "a tool without a call",
      [say("user", "x"), say("assistant", "a"), say("tool", "1")],
      /messages\.2 has the role tool after the role assistant/,
    ],
    [
      "a user where results are due",
      [say("user", "x"), say("assistant", null, { toolCalls }), say("user", "y")],
      /messages\.2 has the role user after tool calls/,
    ],
    [
      "calls without results",
      [say("user", "x"), say("assistant", null, { toolCalls })],
      /last message calls functions; tool messages with their results must follow/,
    ],
  ])("refuses %s", (_, messages, message) => {
    expect(() => normalizeConversation(messages)).toThrow(
      expect.objectContaining({
        code: "CHAT_TEMPLATE_FAILED",
        param: /messages\.\d/.exec(message.source.replaceAll("\\", ""))?.[0] ?? "messages",
        message: expect.stringMatching(message),
      }),
    );
  });
});
