import { describe, expect, it } from "vitest";
import {
  askedItems,
  inputItem,
  inputSchema,
  isReference,
  itemOfMessage,
  listedItem,
  responseOfItem,
  toMessages,
} from "./response-items.js";

const RESPONSE = `resp_${"a".repeat(32)}`;

const read = async (input: unknown) =>
  askedItems(await inputSchema.parseAsync(input)).map((item, index) => {
    if (isReference(item)) throw new Error(item.id);
    return inputItem(item, RESPONSE, index);
  });

const call = { type: "function_call", call_id: "c1", name: "f", arguments: "{}" };
const other = { type: "function_call", call_id: "c2", name: "g", arguments: "{}" };
const outputOf = (call_id: string) => ({ type: "function_call_output", call_id, output: "1" });
const toolCall = ({ call_id: id, name, arguments: given }: typeof call) => ({
  id,
  type: "function",
  function: { name, arguments: given },
});

/** The kind of the item that a message begins with. */
const kindOf = (made: object): string => {
  if ("content" in made && !("tool_call_id" in made)) return "message";
  return "tool_calls" in made ? "function_call" : "function_call_output";
};

describe("items as messages", () => {
  it.each<[string, unknown, readonly object[]]>([
    ["a text", "hi", [{ role: "user", content: "hi" }]],
    ["a message without type", [{ role: "developer", content: "hi" }], [{ role: "developer", content: "hi" }]],
    [
      "parts",
      [
        {
          type: "message",
          role: "assistant",
          content: [
            { type: "output_text", text: "a", annotations: [] },
            { type: "refusal", refusal: "b" },
          ],
        },
      ],
      [{ role: "assistant", content: "ab" }],
    ],
    [
      "a call and its output",
      [call, { type: "function_call_output", call_id: "c1", output: [{ type: "input_text", text: "1" }] }],
      [
        { role: "assistant", tool_calls: [toolCall(call)] },
        { role: "tool", tool_call_id: "c1", content: "1" },
      ],
    ],
    [
      "a text and two calls of one answer",
      [{ role: "assistant", content: "so" }, call, other, outputOf("c2"), outputOf("c1")],
      [
        { role: "assistant", content: "so", tool_calls: [toolCall(call), toolCall(other)] },
        ...["c2", "c1"].map((id) => ({ role: "tool", tool_call_id: id, content: "1" })),
      ],
    ],
  ])("%s", async (_, input, messages) => {
    const items = await read(input);
    expect(toMessages(items)).toEqual(messages);
    const kinds = messages.map((_, index) => items[itemOfMessage(items, index)]?.type);
    expect(kinds).toEqual(messages.map((made) => kindOf(made)));
  });

  it.each([
    [[call], "c1"],
    [[call, other, outputOf("c1"), { role: "user", content: "hi" }], "c2"],
  ])("a call needs its output: %j", async (input, id) => {
    await expect(read(input).then(toMessages)).rejects.toThrow(`No tool output found for function call ${id}. Send a `);
  });

  it("two calls at once need ids of their own", async () => {
    const twice = [call, { ...other, call_id: "c1" }, outputOf("c1")];
    await expect(read(twice).then(toMessages)).rejects.toThrow(
      'two function_calls have the call_id "c1", and no output is between',
    );
    expect(toMessages(await read([call, outputOf("c1"), call, outputOf("c1")]))).toHaveLength(4);
  });

  it("an output needs its call before it", async () => {
    await expect(read([outputOf("c1"), call]).then(toMessages)).rejects.toThrow(/call_id "c1"/);
  });
});

it.each<[string, unknown, string]>([
  ["a role that items lack", [{ type: "message", role: "tool", content: "x" }], "0.role"],
  ["a part without its text", [{ role: "user", content: [{ type: "input_text" }] }], "0.content"],
  ["a call without an id", [call, { type: "function_call", name: "f", arguments: "{}" }], "1.call_id"],
  ["an output without a text", [{ type: "function_call_output", call_id: "c" }], "0.output"],
  ["a call with an empty id", [{ ...call, call_id: "" }], "0.call_id"],
  ["a user's refusal", [{ role: "user", content: [{ type: "refusal", refusal: "No." }] }], "0.content.0.type"],
  ["a refusal as an output", [{ ...outputOf("c1"), output: [{ type: "refusal", refusal: "No." }] }], "0.output.0.type"],
  ["4,097 items", Array(4097).fill(call), ""],
  ["a number", 3, ""],
])("%s: refused", async (_, input, path) => {
  const { error } = await inputSchema.safeParseAsync(input);
  expect(error?.issues[0]).toBeDefined();
  expect(JSON.stringify(error?.issues)).toContain(path.split(".").at(-1));
});

it("ids say which response an item is of, and clients' ids stay", async () => {
  const items = await read([{ role: "user", content: "hi" }, call, { ...call, id: "mine" }]);
  expect(items.map(({ id }) => id)).toEqual([`msg_${"a".repeat(32)}i0`, `fc_${"a".repeat(32)}i1`, "mine"]);
  expect(items.map(({ id }) => responseOfItem(id))).toEqual([RESPONSE, RESPONSE, undefined]);
});

it("items are listed in OpenAI's shape", async () => {
  const [message, answer] = await read(["user", "assistant"].map((role) => ({ role, content: "hi" })));
  expect(message && listedItem(message)).toMatchObject({
    status: "completed",
    content: [{ type: "input_text", text: "hi" }],
  });
  expect(answer && listedItem(answer)).toMatchObject({
    content: [{ type: "output_text", text: "hi", annotations: [] }],
  });
});
