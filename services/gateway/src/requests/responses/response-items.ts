import { z } from "zod";
import { RESPONSE_PREFIX } from "../../answers/response-object.js";
import { RequestError } from "../../request-error.js";
import type { MessageFields } from "../conversation.js";
import { listInTurns, listOf } from "../long-fields.js";
import { optional } from "../request-fields.js";

const status = optional(z.enum(["in_progress", "completed", "incomplete"]));

const NO_REFUSAL = "must be input_text: only an assistant refuses";

/** Refusals and records repeat it. */
const itemId = optional(z.string().max(128));

const TEXT_PARTS = ["input_text", "output_text", "text"] as const;

const part = z.discriminatedUnion("type", [
  z.object({ type: z.enum(TEXT_PARTS), text: z.string() }),
  z
    .object({ type: z.literal("refusal"), refusal: z.string() })
    .transform(({ refusal }) => ({ type: "refusal" as const, text: refusal })),
]);

const content = z.union([z.string(), listOf(part)]);

const refusalIn = (said: z.output<typeof content>): number =>
  typeof said === "string" ? -1 : said.findIndex(({ type }) => type === "refusal");

const message = z
  .object({
    type: z.literal("message"),
    id: itemId,
    status,
    role: z.enum(["system", "developer", "user", "assistant"]),
    content,
  })
  .superRefine(({ role, content: said }, { addIssue }) => {
    const at = role === "assistant" ? -1 : refusalIn(said);
    if (at >= 0) addIssue({ code: "custom", path: ["content", at, "type"], input: "", message: NO_REFUSAL });
  });

const functionCall = z.object({
  type: z.literal("function_call"),
  id: itemId,
  status,
  call_id: z.string().min(1).max(256),
  name: z.string(),
  arguments: z.string(),
});

const functionCallOutput = z.object({
  type: z.literal("function_call_output"),
  id: itemId,
  status,
  call_id: z.string().min(1).max(256),
  output: content.superRefine((said, { addIssue }) => {
    const at = refusalIn(said);
    if (at >= 0) addIssue({ code: "custom", path: [at, "type"], input: "", message: NO_REFUSAL });
  }),
});

const itemReference = z.object({ type: z.literal("item_reference"), id: z.string().max(128) });

const kinds = z.discriminatedUnion("type", [message, functionCall, functionCallOutput, itemReference]);
const { $schema: _, ...shapes } = z.toJSONSchema(kinds, { io: "input", unrepresentable: "any" });

/** `type` may be left out of a message, and of a reference. */
const item = z.preprocess(withType, kinds).meta(shapes);

function withType(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { type, role, id } = value as { readonly [key: string]: unknown };
  if (type != null) return value;
  return { ...value, type: role === undefined && id !== undefined ? "item_reference" : "message" };
}

/** As many as a chat may have messages. */
export const MOST_ITEMS = 4096;

export const inputSchema = z.union([z.string(), listInTurns(item, MOST_ITEMS)]);

type Reference = z.output<typeof itemReference>;
export type AskedItem = Exclude<z.output<typeof inputSchema>, string>[number];

/** An item as it is stored and listed: without references, with an id. */
export type InputItem = Exclude<AskedItem, Reference> & { readonly id: string };

export const isReference = (asked: AskedItem): asked is Reference => asked.type === "item_reference";

/** The items of `input`: a text is the user's message. */
export const askedItems = (input: string | readonly AskedItem[] | undefined): readonly AskedItem[] =>
  typeof input === "string"
    ? [{ type: "message", role: "user", content: input, id: undefined, status: undefined }]
    : (input ?? []);

const KINDS: Readonly<Record<InputItem["type"], string>> = {
  message: "msg",
  function_call: "fc",
  function_call_output: "fco",
};

/** Items have the id of their response in theirs, unless the client gave them one. */
export const inputItem = (asked: Exclude<AskedItem, Reference>, responseId: string, index: number): InputItem => ({
  ...asked,
  id: asked.id ?? `${KINDS[asked.type]}_${responseId.slice(RESPONSE_PREFIX.length)}i${index}`,
});

/** The response whose item has this id; undefined for an id that no response gives out. */
export const responseOfItem = (id: string): string | undefined => {
  const [, hex] = /^(?:msg|fc|fco)_([0-9a-f]{32})[io]\d{1,5}$/.exec(id) ?? [];
  return hex === undefined ? undefined : RESPONSE_PREFIX + hex;
};

/** An item in OpenAI's shape. */
export function listedItem({ status = "completed", ...item }: InputItem): object {
  switch (item.type) {
    case "message":
      return { ...item, status, content: listedParts(item) };
    case "function_call":
      return { ...item, status };
    case "function_call_output":
      return { ...item, status, output: typeof item.output === "string" ? item.output : item.output.map(inputPart) };
  }
}

type MessageItem = Extract<InputItem, { readonly type: "message" }>;
type Part = Exclude<MessageItem["content"], string>[number];

function listedParts({ role, content }: Omit<MessageItem, "status">): readonly object[] {
  const parts: readonly Part[] = typeof content === "string" ? [{ type: "input_text", text: content }] : content;
  return role === "assistant" ? parts.map(outputPart) : parts.map(inputPart);
}

const inputPart = ({ text }: Part) => ({ type: "input_text", text });

const outputPart = ({ type, text }: Part) =>
  type === "refusal" ? { type, refusal: text } : { type: "output_text", text, annotations: [], logprobs: [] };

const textOf = (content: MessageItem["content"]): string =>
  typeof content === "string" ? content : content.map(({ text }) => text).join("");

/** The index of the item that the message with this index begins with. */
export const itemOfMessage = (items: readonly InputItem[], index: number): number =>
  [...items.keys()].filter((at) => !joinsLast(items, at))[index] ?? items.length;

/** Whether the item is a call of the assistant's message before it. */
function joinsLast(items: readonly InputItem[], at: number): boolean {
  const [before, item] = [items[at - 1], items[at]];
  const isAnswer = before?.type === "function_call" || (before?.type === "message" && before.role === "assistant");
  return isAnswer && item?.type === "function_call";
}

/**
 * The items as the messages of a chat: calls, and a text right before them, are one message of the assistant, as the
 * model wrote them in one answer. Throws INVALID_REQUEST for the output of a call that is not before it, a call
 * without one, and two calls of one id at once.
 */
export function toMessages(items: readonly InputItem[]): readonly MessageFields[] {
  const messages: MessageFields[] = [];
  const called = new Set<string>();
  const open = new Set<string>();
  for (const item of items) {
    if (item.type === "message") messages.push({ role: item.role, content: textOf(item.content) });
    else if (item.type === "function_call_output") {
      open.delete(item.call_id);
      messages.push(outputMessage(item, called));
    } else {
      if (open.has(item.call_id)) refuseTwice(item.call_id);
      called.add(item.call_id);
      open.add(item.call_id);
      addCall(messages, item);
    }
  }
  for (const id of open) refuseUnanswered(id);
  return messages;
}

function refuseTwice(id: string): never {
  const problem = `input: two function_calls have the call_id ${JSON.stringify(id)}, and no output is between them`;
  throw new RequestError("INVALID_REQUEST", `${problem}; give each its own.`, { param: "input" });
}

/** Begins as OpenAI's refusal does, by which clients know it. */
function refuseUnanswered(id: string): never {
  const problem = `No tool output found for function call ${id}.`;
  const remedy = "Send a function_call_output with this call_id, also for a call that was not run.";
  throw new RequestError("INVALID_REQUEST", `${problem} ${remedy}`, { param: "input" });
}

function outputMessage(
  { call_id, output }: Extract<InputItem, { readonly type: "function_call_output" }>,
  called: ReadonlySet<string>,
) {
  if (called.has(call_id)) return { role: "tool", tool_call_id: call_id, content: textOf(output) } as const;
  const problem = `input: there is no function_call with the call_id ${JSON.stringify(call_id)} before its output`;
  const remedy = "send the call as well, or the previous_response_id of the response that made it";
  throw new RequestError("INVALID_REQUEST", `${problem}; ${remedy}.`, { param: "input" });
}

function addCall(
  messages: MessageFields[],
  { call_id, name, arguments: given }: Extract<InputItem, { readonly type: "function_call" }>,
) {
  const call = { id: call_id, type: "function" as const, function: { name, arguments: given } };
  const last = messages.at(-1);
  if (last?.role !== "assistant") messages.push({ role: "assistant", tool_calls: [call] });
  // Not a copy for each call: of 4,096 they took 54 ms, of 50,000 22 s.
  else if (last.tool_calls !== undefined) last.tool_calls.push(call);
  else messages[messages.length - 1] = { ...last, tool_calls: [call] };
}
