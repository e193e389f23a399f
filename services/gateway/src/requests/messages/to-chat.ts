import { refuseParam } from "../../request-error.js";
import { timeLeft } from "../../turns.js";
import { jsonInTurns } from "../../write-in-turns.js";
import type { MessageFields } from "../conversation.js";
import { type ChatRequest, chatOf } from "../prepare-chat.js";
import { checkToolResults } from "./check-tool-results.js";
import type {
  AnthropicMessage,
  AnthropicTool,
  AnthropicToolChoice,
  CountedRequest,
  MessagesRequest,
} from "./message-fields.js";

/**
 * The chat that a request to /v1/messages asks for, made in turns: the inputs of its calls may be megabytes of JSON.
 * Throws INVALID_REQUEST for calls without results, and results without calls.
 */
export async function toChat(fields: CountedRequest & Partial<MessagesRequest>): Promise<ChatRequest> {
  const { tool_choice: choice } = fields;
  checkToolResults(fields.messages);
  const format = fields.output_config?.format ?? fields.output_format;
  return chatOf({
    model: fields.model,
    messages: await chatMessages(fields),
    continue_final_message: continuesLast(fields.messages),
    tools: fields.tools?.map(toTool),
    tool_choice: choice && toToolChoice(choice),
    parallel_tool_calls: choice?.type === "none" ? undefined : choice && choice.disable_parallel_tool_use !== true,
    response_format: format && { type: "json_schema", json_schema: toSchema(format.schema), schema: undefined },
    max_tokens: fields.max_tokens,
    temperature: fields.temperature,
    top_p: fields.top_p,
    top_k: fields.top_k,
    seed: fields.seed,
    stop: fields.stop_sequences,
    stream: fields.stream,
    stream_options: fields.stream_options && {
      resumable: fields.stream_options.resumable,
      include_usage: undefined,
      continuous_usage_stats: undefined,
    },
  });
}

/** What the message of the chat with this index was made from. */
export function sourceOf({ system: instructions, messages }: CountedRequest, index: number): string {
  let first = system(instructions).length;
  if (index < first) return "system";
  const at = messages.findIndex((message) => {
    first += message.role === "user" ? userMessages(message.content).length : 1;
    return index < first;
  });
  return `messages.${at}`;
}

type Content<Role extends AnthropicMessage["role"]> = Extract<AnthropicMessage, { role: Role }>["content"];

/** The text of blocks, without those of other types. */
const textOf = (content: AnthropicMessage["content"]): string =>
  typeof content === "string" ? content : content.map((block) => (block.type === "text" ? block.text : "")).join("");

const system = (content: Content<"system"> | undefined): readonly MessageFields[] =>
  content === undefined ? [] : [{ role: "system", content: textOf(content) }];

async function chatMessages({ system: instructions, messages }: CountedRequest): Promise<readonly MessageFields[]> {
  const made = [...system(instructions)];
  for (const message of messages) {
    await timeLeft();
    made.push(...(await toMessages(message)));
  }
  return made;
}

async function toMessages(message: AnthropicMessage): Promise<readonly MessageFields[]> {
  switch (message.role) {
    case "system":
      return system(message.content);
    case "user":
      return userMessages(message.content);
    case "assistant":
      return [await assistantMessage(message.content)];
  }
}

/** Results are messages of their own; texts between them are joined. */
function userMessages(content: Content<"user">): readonly MessageFields[] {
  if (typeof content === "string" || content.length === 0) return [{ role: "user", content: textOf(content) }];
  const messages: MessageFields[] = [];
  for (const block of content) {
    const last = messages.at(-1);
    if (block.type === "tool_result") messages.push(toolMessage(block));
    else if (last?.role === "user") messages.splice(-1, 1, { role: "user", content: `${last.content}${block.text}` });
    else messages.push({ role: "user", content: block.text });
  }
  return messages;
}

type ToolResult = Extract<Exclude<Content<"user">, string>[number], { type: "tool_result" }>;

/** Chats have no field for a call that failed: the model is told in words. */
function toolMessage({ tool_use_id, content = "", is_error }: ToolResult): MessageFields {
  const text = textOf(content);
  return { role: "tool", tool_call_id: tool_use_id, content: is_error === true ? `Error: ${text}` : text };
}

async function assistantMessage(content: Content<"assistant">): Promise<MessageFields> {
  const text = textOf(content);
  const calls = [];
  for (const { id, name, input } of usesOf(content))
    calls.push({ id, type: undefined, function: { name, arguments: await jsonInTurns(input) } });
  if (calls.length === 0) return { role: "assistant", content: text };
  return { role: "assistant", content: text === "" ? undefined : text, tool_calls: calls };
}

const usesOf = (content: AnthropicMessage["content"]) =>
  typeof content === "string" ? [] : content.flatMap((block) => (block.type === "tool_use" ? [block] : []));

/** Whether the answer goes on with the last message, an assistant's. */
function continuesLast(messages: readonly AnthropicMessage[]): boolean {
  const last = messages.at(-1);
  if (last?.role !== "assistant") return false;
  if (usesOf(last.content).length > 0)
    refuseParam(`messages.${messages.length - 1}`, " ends with tool_use; send its tool_result behind it.");
  return true;
}

const toTool = ({ name, description, input_schema, input_examples, strict }: AnthropicTool) => ({
  type: undefined,
  function: {
    name,
    description,
    // What the model is shown of a tool is its schema, where examples are an annotation.
    parameters: input_examples === undefined ? input_schema : { ...input_schema, examples: input_examples },
    strict,
  },
});

function toToolChoice(choice: AnthropicToolChoice): ChatRequest["tool_choice"] {
  switch (choice.type) {
    case "tool":
      return { type: "function", function: { name: choice.name } };
    case "any":
      return "required";
    case "auto":
    case "none":
      return choice.type;
  }
}

const toSchema = (schema: Readonly<Record<string, unknown>>) => ({
  schema,
  schema_definition: undefined,
  strict: undefined,
});
