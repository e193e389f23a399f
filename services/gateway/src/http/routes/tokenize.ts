import type { FastifyInstance } from "fastify";
import type { GatewayDeps } from "../../gateway-deps.js";
import { RequestError } from "../../request-error.js";
import { toConversation } from "../../requests/conversation.js";
import { parseRequest } from "../../requests/parse-request.js";
import { checkName } from "../../requests/served-model.js";
import {
  detokenizeRequestSchema,
  type TokenizeRequest,
  tokenizeRequestSchema,
} from "../../requests/tokenize-request.js";
import { toToolUse } from "../../requests/tools/tool-use.js";
import { leadingSpaceStripper } from "../../text/leading-space.js";
import { tokenText } from "../../text/logprobs.js";
import type { TextModel } from "../../text/text-model.js";

/** POST /tokenize and /detokenize, GET /tokenizer_info: vLLM's shapes, with llama-server's fields beside them. */
export function tokenize(app: FastifyInstance, { model, cluster }: GatewayDeps): void {
  const namesOf = async () => {
    const coordinators = await cluster.coordinators();
    return { names: [model.name, ...model.aliases, ...coordinators.map((one) => one.model.name)], coordinators };
  };
  app.post("/tokenize", async ({ body }) => {
    const fields = parseRequest(tokenizeRequestSchema, body);
    const { names, coordinators } = await namesOf();
    if (fields.model !== undefined) checkName(fields.model, names);
    const ids = encode(model, fields);
    const piece = (id: number) => tokenText(model, id);
    return {
      count: ids.length,
      max_model_len: coordinators[0]?.model.contextLength ?? null,
      tokens: fields.with_pieces === true ? ids.map((id) => ({ id, piece: piece(id) })) : ids,
      token_strs: fields.return_token_strs === true ? ids.map(piece) : null,
    };
  });
  app.post("/detokenize", async ({ body }) => {
    const fields = parseRequest(detokenizeRequestSchema, body);
    if (fields.model !== undefined) checkName(fields.model, (await namesOf()).names);
    const text = decode(model, fields.tokens);
    return { prompt: text, content: text };
  });
  app.get("/tokenizer_info", async () => {
    const [coordinator] = await cluster.coordinators();
    return { ...tokenizerInfo(model), model_max_length: coordinator?.model.contextLength ?? null };
  });
}

/** vLLM adds BOS to a `prompt`, llama-server none to a `content`; a conversation has what its template puts there. */
function encode(model: TextModel, fields: TokenizeRequest): readonly number[] {
  const { messages, prompt, content, add_special_tokens: addSpecial } = fields;
  const given = [messages, prompt, content].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new RequestError("INVALID_REQUEST", "Send one of prompt, messages and content.", { param: "prompt" });
  }
  if (messages !== undefined) {
    const tools = toToolUse(fields)?.tools;
    const conversation = toConversation({ ...fields, messages, echo: undefined, safe_prompt: undefined }, tools);
    return model.encodeChat(conversation.messages, conversation.options);
  }
  if (prompt !== undefined) return model.encodeText(prompt, { addSpecial: addSpecial ?? true });
  return model.encodeText(content ?? "", { addSpecial: addSpecial ?? fields.add_special ?? false });
}

/** Control tokens by their names. The space that SentencePiece puts before a text is not part of it. */
function decode(model: TextModel, tokens: readonly number[]): string {
  const bad = tokens.find((id) => id >= model.vocabSize);
  if (bad !== undefined) {
    const message = `tokens: ${bad} is outside the vocabulary, 0 to ${model.vocabSize - 1}.`;
    throw new RequestError("INVALID_REQUEST", message, { param: "tokens" });
  }
  const bytes = tokens.map((id) => model.pieceBytes(id, { special: true }));
  return leadingSpaceStripper(model.addsLeadingSpace)(Buffer.concat(bytes).toString("utf8"));
}

function tokenizerInfo(model: TextModel) {
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
