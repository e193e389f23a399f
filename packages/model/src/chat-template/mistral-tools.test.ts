import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Vocabulary } from "@rhone/ggml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openMistralV3Vocabulary } from "../testing/mistral-v3-vocabulary.js";
import type { ChatMessage, ChatTool } from "./chat-message.js";
import { mistralTemplate } from "./mistral-template.js";

interface Case {
  readonly name: string;
  readonly messages: readonly {
    readonly role: ChatMessage["role"];
    readonly content: string | null;
    readonly tool_calls?: readonly {
      readonly id: string;
      readonly function: { readonly name: string; readonly arguments: string };
    }[];
    readonly tool_call_id?: string;
    readonly name?: string;
  }[];
  readonly tools: readonly { readonly function: ChatTool }[];
  readonly ids: readonly number[];
}

const path = fileURLToPath(new URL("../../../../test/fixtures/mistral-v3/cases.json", import.meta.url));
const cases = JSON.parse(await readFile(path, "utf8")) as readonly Case[];

let vocabulary: Vocabulary;
beforeAll(async () => {
  vocabulary = await openMistralV3Vocabulary();
});
afterAll(() => vocabulary.close());

const messagesOf = ({ messages }: Case): ChatMessage[] =>
  messages.map(({ role, content, tool_calls: calls, tool_call_id: toolCallId, name }) => ({
    role,
    content,
    ...(calls !== undefined && { toolCalls: calls.map((call) => ({ id: call.id, ...call.function })) }),
    ...(toolCallId !== undefined && { toolCallId }),
    ...(name !== undefined && { name }),
  }));

test.each(cases)("V3 encodes $name as mistral-common does", (one) => {
  const tools = one.tools.map((tool) => tool.function);
  expect(Array.from(mistralTemplate(3, vocabulary).encode(messagesOf(one), { tools }))).toEqual(one.ids);
});

describe("an assistant's text and calls, which mistral-common refuses in one message", () => {
  const user = (content: string): ChatMessage => ({ role: "user", content });
  const toolCalls = [{ id: "abcDEF123", name: "now", arguments: "{}" }];
  const [asked, result] = [
    user("Time?"),
    { role: "tool", content: "12:30", toolCallId: "abcDEF123", name: "now" },
  ] as const;
  const calling = (content: string | null): ChatMessage => ({ role: "assistant", content, toolCalls });
  const open = (content: string): ChatMessage => ({ role: "assistant", content, prefix: true });
  /** The ids behind the question's. */
  const behind = (version: 2 | 3, ...messages: readonly ChatMessage[]) => {
    const { encode } = mistralTemplate(version, vocabulary);
    return Array.from(encode([asked, ...messages])).slice(encode([asked]).length);
  };

  test.each([2, 3] as const)("are the text's ids, then the calls', in V%d", (version) => {
    const both = [...behind(version, open("I look.")), ...behind(version, calling(null), result)];
    expect(behind(version, calling("I look."), result)).toEqual(both);
    expect(behind(version, calling(" "), result)).toEqual(behind(version, calling(null), result));
  });

  test("are the text alone in V2 before the last question, where it drops calls and results", () => {
    const eos = vocabulary.eos ?? 0;
    const rest = [result, { role: "assistant", content: "Noon." }, user("Thanks")] as const;
    const silent = behind(2, calling(null), ...rest);
    expect(silent.slice(0, silent.indexOf(eos) + 1)).toEqual([...behind(2, open("Noon.")), eos]);
    expect(behind(2, calling("I look."), ...rest)).toEqual([...behind(2, open("I look.")), eos, ...silent]);
  });

  test("are one message when they came as two", () => {
    const two = [{ role: "assistant", content: "I look." }, calling(null), result] as const;
    expect(behind(3, ...two)).toEqual(behind(3, calling("I look."), result));
  });
});

test("V3 says which token announces calls", () => {
  const { callToken } = mistralTemplate(3, vocabulary);
  expect(vocabulary.pieceBytes(callToken ?? 0, { special: true }).toString()).toBe("[TOOL_CALLS]");
});
