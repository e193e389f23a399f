import type { FastifyInstance } from "fastify";
import type { ServedModels } from "../../models/served-models.js";
import { countTokensRequestSchema } from "../../requests/messages/message-fields.js";
import { countPrompt } from "../../requests/messages/prepare-messages.js";
import { modelQuerySchema, parseLongRequest, parseRequest } from "../../requests/request-fields.js";
import {
  decode,
  detokenizeRequestSchema,
  encode,
  tokenizeRequestSchema,
  tokenizerInfo,
  withPieces,
} from "../../requests/tokenize.js";

export interface TokenizeUse {
  readonly models: Pick<ServedModels, "find" | "textOf">;
}

/**
 * POST /tokenize and /detokenize, GET /tokenizer_info: vLLM's shapes, with llama-server's fields beside them. POST
 * /v1/messages/count_tokens is Anthropic's.
 */
export function tokenize(app: FastifyInstance, { models }: TokenizeUse): void {
  app.post("/tokenize", async ({ body, caller: { owner } }) => {
    const fields = await parseLongRequest(tokenizeRequestSchema, body);
    const { text: model, coordinators } = await models.find(fields.model);
    const ids = await encode(model, fields, owner);
    return {
      count: ids.length,
      max_model_len: coordinators[0]?.model.contextLength ?? null,
      ...(await withPieces(model, ids, fields)),
    };
  });
  app.post("/detokenize", async ({ body }) => {
    const fields = parseRequest(detokenizeRequestSchema, body);
    const text = await decode(await models.textOf(fields.model), fields.tokens);
    return { prompt: text, content: text };
  });
  app.post("/v1/messages/count_tokens", async ({ body, caller: { owner } }) => {
    const fields = await parseLongRequest(countTokensRequestSchema, body);
    return { input_tokens: await countPrompt(await models.textOf(fields.model), fields, owner) };
  });
  app.get("/tokenizer_info", async ({ query }) => {
    const { model: asked } = parseRequest(modelQuerySchema, query);
    const { text: model, coordinators } = await models.find(asked);
    return { ...tokenizerInfo(model), model_max_length: coordinators[0]?.model.contextLength ?? null };
  });
}
