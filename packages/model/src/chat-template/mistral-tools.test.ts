import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Vocabulary } from "@rhone/ggml";
import { afterAll, beforeAll, expect, test } from "vitest";
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

test("V3 says which token announces calls", () => {
  const { callToken } = mistralTemplate(3, vocabulary);
  expect(vocabulary.pieceBytes(callToken ?? 0, { special: true }).toString()).toBe("[TOOL_CALLS]");
});
