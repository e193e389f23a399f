import { WRITER_VERSION } from "../../answers/writer-record.js";
import type { TextModel } from "../../text/text-model.js";
import { inWordsOf, messageNamed, type Renaming, warningsInWordsOf } from "../in-words-of.js";
import type { Prepare } from "../prepare.js";
import { type ChatApi, chatPrompt, prepareConversation } from "../prepare-chat.js";
import { parseLongRequest } from "../request-fields.js";
import { type CountedRequest, messagesRequestSchema } from "./message-fields.js";
import { sourceOf, toChat } from "./to-chat.js";

/** Fields of a chat, and what they are called here. */
const namesOf = (fields: CountedRequest): readonly Renaming[] => [
  [/^tools\.(\d+)\.function\.parameters/, "tools.$1.input_schema"],
  [/^tools\.(\d+)\.function\./, "tools.$1."],
  [/^response_format(\.json_schema)?/, fields.output_config?.format ? "output_config.format" : "output_format"],
  messageNamed((index) => sourceOf(fields, index)),
];

/** What to do instead of chats' fields. */
const INSTEAD = {
  stop: "send stop_sequences",
  stop_token_ids: "send stop_sequences",
  random_seed: "send seed",
  max_completion_tokens: "send max_tokens",
  n_predict: "send max_tokens",
  response_format: "send output_config.format",
  functions: "send tools",
  function_call: "send tool_choice",
  n: "send the request several times",
};

/** Prepares an answer of Anthropic's Messages: the next message of a conversation. */
export const prepareMessages: Prepare = async (preparation, body, arrival) => {
  const fields = await parseLongRequest(messagesRequestSchema, body, INSTEAD);
  const names = namesOf(fields);
  const api: ChatApi = {
    prefix: "msg_",
    record: ({ id, modelName, stripsSpace, opening, calls, promptIds, warnings: ofChat }, maxTokens) => {
      const prompt = { promptTokens: promptIds.length, endsWithContext: maxTokens < fields.max_tokens };
      const warnings = warningsInWordsOf(names, ofChat);
      const options = { id, modelName, stripsSpace, opening, calls, warnings, ...prompt };
      return { version: WRITER_VERSION, kind: "messages", options };
    },
    endsWithContext: true,
  };
  const chat = await toChat(fields);
  return inWordsOf(names, async () => prepareConversation(api, { preparation, arrival, fields: chat }));
};

/** The tokens of the prompt that a request to /v1/messages with these fields has. Throws as `Prepare` does. */
export async function countPrompt(model: TextModel, fields: CountedRequest, owner: string): Promise<number> {
  const chat = await toChat(fields);
  return inWordsOf(namesOf(fields), async () => (await chatPrompt(model, chat, owner)).length);
}
