import { WRITER_VERSION } from "../../answers/writer-record.js";
import type { TextModel } from "../../text/text-model.js";
import { timeLeft } from "../../turns.js";
import { inWordsOf, type Renaming, warningsInWordsOf } from "../in-words-of.js";
import type { Prepare } from "../prepare.js";
import { type ChatApi, chatPrompt, prepareConversation } from "../prepare-chat.js";
import { parseRequest } from "../request-fields.js";
import { type CountedRequest, messagesRequestSchema } from "./message-fields.js";
import { toChat } from "./to-chat.js";

/** Fields of a chat, and what they are called here. */
const NAMES: readonly Renaming[] = [
  [/^tools\.(\d+)\.function\.parameters/, "tools.$1.input_schema"],
  [/^tools\.(\d+)\.function\./, "tools.$1."],
  [/^response_format(\.json_schema)?/, "output_config.format"],
];

/** Prepares an answer of Anthropic's Messages: the next message of a conversation. */
export const prepareMessages: Prepare = async (preparation, body, arrival) => {
  const fields = parseRequest(messagesRequestSchema, body);
  const api: ChatApi = {
    prefix: "msg_",
    record: ({ id, modelName, stripsSpace, opening, calls, promptIds, warnings: ofChat }, maxTokens) => {
      const prompt = { promptTokens: promptIds.length, endsWithContext: maxTokens < fields.max_tokens };
      const warnings = warningsInWordsOf(NAMES, ofChat);
      const options = { id, modelName, stripsSpace, opening, calls, warnings, ...prompt };
      return { version: WRITER_VERSION, kind: "messages", options };
    },
    endsWithContext: true,
  };
  await timeLeft();
  return inWordsOf(NAMES, async () => prepareConversation(api, { preparation, arrival, fields: toChat(fields) }));
};

/** The tokens of the prompt that a request to /v1/messages with these fields has. Throws as `Prepare` does. */
export const countPrompt = (model: TextModel, fields: CountedRequest, owner: string): Promise<number> =>
  inWordsOf(NAMES, async () => (await chatPrompt(model, toChat(fields), owner)).length);
