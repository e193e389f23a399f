import { z } from "zod";
import { refuseParam } from "../request-error.js";
import { contextExceeded } from "../text/context-exceeded.js";
import { tokenText } from "../text/logprobs.js";
import { leadingSpaceStripper, type TextModel } from "../text/text-model.js";
import { textOf } from "../text/text-of.js";
import { mapInTurns } from "../turns.js";
import { toConversation } from "./conversation.js";
import { tokenIdsOrNone } from "./long-fields.js";
import { chatRequestSchema } from "./prepare-chat.js";
import { modelName, optional } from "./request-fields.js";
import { toToolUse } from "./tools/tool-use.js";

const conversation = chatRequestSchema.pick({
  messages: true,
  tools: true,
  tool_choice: true,
  parallel_tool_calls: true,
  add_generation_prompt: true,
  continue_final_message: true,
  chat_template_kwargs: true,
});

/** POST /tokenize: vLLM's shape (`prompt` or `messages`) or llama-server's (`content`). */
export const tokenizeRequestSchema = conversation.partial({ messages: true }).extend({
  model: modelName,
  prompt: optional(z.string()),
  content: optional(z.string()),
  add_special_tokens: optional(z.boolean()),
  add_special: optional(z.boolean()),
  return_token_strs: optional(z.boolean()),
  with_pieces: optional(z.boolean()),
});
type TokenizeRequest = Readonly<z.infer<typeof tokenizeRequestSchema>>;

/** POST /detokenize. */
export const detokenizeRequestSchema = z.object({
  model: modelName,
  tokens: tokenIdsOrNone,
});

/** vLLM adds BOS to a `prompt`, llama-server none to a `content`. Throws INVALID_REQUEST. */
export async function encode(model: TextModel, fields: TokenizeRequest, owner = ""): Promise<readonly number[]> {
  const { messages, prompt, content, add_special_tokens: addSpecial } = fields;
  const given = [messages, prompt, content].filter((value) => value !== undefined);
  if (given.length !== 1) refuseParam("prompt", ": send exactly one of prompt, messages and content.");
  if (messages !== undefined) {
    const tools = toToolUse(fields)?.tools;
    const encoded = toConversation({ ...fields, messages, echo: undefined, safe_prompt: undefined }, tools);
    return model.encodeChat(encoded.messages, encoded.options, { owner });
  }
  if (prompt !== undefined) return model.encodeText(prompt, { addSpecial: addSpecial ?? true, owner });
  return model.encodeText(content ?? "", { addSpecial: addSpecial ?? fields.add_special ?? false, owner });
}

/**
 * The ids, with the text of each in one or both of the forms that a request asks for. Throws CONTEXT_LENGTH_EXCEEDED
 * for the texts of more ids than the context holds: a long text's would take 100 MB of memory.
 */
export async function withPieces(
  model: TextModel,
  ids: readonly number[],
  { with_pieces: inTokens, return_token_strs: apart }: TokenizeRequest,
) {
  if (inTokens !== true && apart !== true) return { tokens: ids, token_strs: null };
  checkFits(model, ids, "prompt");
  const pieces = await mapInTurns(ids, (id) => ({ id, piece: tokenText(model, id) }));
  return {
    tokens: inTokens === true ? pieces : ids,
    token_strs: apart === true ? pieces.map(({ piece }) => piece) : null,
  };
}

/**
 * Control tokens by their names, without the space that SentencePiece puts before a text. Throws INVALID_REQUEST, and
 * CONTEXT_LENGTH_EXCEEDED for more tokens than the context holds.
 */
export async function decode(model: TextModel, tokens: readonly number[]): Promise<string> {
  checkFits(model, tokens, "tokens");
  const bad = tokens.find((id) => id >= model.vocabSize);
  if (bad !== undefined) refuseParam("tokens", `: ${bad} is outside the vocabulary, 0 to ${model.vocabSize - 1}.`);
  return leadingSpaceStripper(model.addsLeadingSpace)(await textOf(model, tokens, { special: true }));
}

function checkFits({ contextLength }: TextModel, { length: tokens }: readonly number[], param: string): void {
  if (tokens > contextLength) throw contextExceeded({ param, tokens, contextLength });
}

/** vLLM's description of a tokenizer. */
export function tokenizerInfo(model: TextModel) {
  const nameOf = (id: number | undefined) => (id === undefined ? null : tokenText(model, id));
  const { bos, eos, unk } = model.special;
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    vocab_size: model.vocabSize,
    bos_token: nameOf(bos),
    eos_token: nameOf(eos),
    unk_token: nameOf(unk),
    pad_token: nameOf(eos),
    chat_template: model.chatTemplate ?? null,
  };
}
