import type { FastifyInstance } from "fastify";
import { type ClusterState, checkName, servedNames } from "../../queue/cluster-state.js";
import { countTokensRequestSchema } from "../../requests/messages/message-fields.js";
import { countPrompt } from "../../requests/messages/prepare-messages.js";
import { parseRequest } from "../../requests/request-fields.js";
import {
  decode,
  detokenizeRequestSchema,
  encode,
  tokenizeRequestSchema,
  tokenizerInfo,
  withPieces,
} from "../../requests/tokenize.js";
import type { TextModel } from "../../text/text-model.js";

export interface TokenizeUse {
  readonly model: TextModel;
  readonly cluster: ClusterState;
}

/**
 * POST /tokenize and /detokenize, GET /tokenizer_info: vLLM's shapes, with llama-server's fields beside them. POST
 * /v1/messages/count_tokens is Anthropic's.
 */
export function tokenize(app: FastifyInstance, { model, cluster }: TokenizeUse): void {
  app.post("/tokenize", async ({ body, caller: { owner } }) => {
    const fields = parseRequest(tokenizeRequestSchema, body);
    const coordinators = await cluster.coordinators();
    if (fields.model !== undefined) checkName(fields.model, servedNames(model, coordinators));
    const ids = await encode(model, fields, owner);
    return {
      count: ids.length,
      max_model_len: coordinators[0]?.model.contextLength ?? null,
      ...(await withPieces(model, ids, fields)),
    };
  });
  app.post("/detokenize", async ({ body }) => {
    const fields = parseRequest(detokenizeRequestSchema, body);
    if (fields.model !== undefined) checkName(fields.model, servedNames(model, await cluster.coordinators()));
    const text = await decode(model, fields.tokens);
    return { prompt: text, content: text };
  });
  app.post("/v1/messages/count_tokens", async ({ body, caller: { owner } }) => {
    const fields = parseRequest(countTokensRequestSchema, body);
    if (fields.model !== undefined) checkName(fields.model, servedNames(model, await cluster.coordinators()));
    return { input_tokens: await countPrompt(model, fields, owner) };
  });
  app.get("/tokenizer_info", async () => {
    const [coordinator] = await cluster.coordinators();
    return { ...tokenizerInfo(model), model_max_length: coordinator?.model.contextLength ?? null };
  });
}
