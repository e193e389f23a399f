import { z } from "zod";
import { chatRequestSchema } from "./chat-request.js";
import { completionRequestSchema } from "./completion-request.js";
import { fimRequestSchema } from "./fim-request.js";
import {
  chatCompletionSchema,
  completionSchema,
  detokenizeResponseSchema,
  modelListSchema,
  modelSchema,
  streamCancelledSchema,
  tokenizeResponseSchema,
  tokenizerInfoSchema,
} from "./response-schemas.js";
import { detokenizeRequestSchema, tokenizeRequestSchema } from "./tokenize-request.js";

export interface Operation {
  readonly summary: string;
  readonly tag: "generation" | "streams" | "tokenizer" | "models" | "operations";
  /** The schema that reads the body. */
  readonly body?: z.ZodType;
  /** Of a 200; undefined: text, or nothing to promise. */
  readonly answer?: z.ZodType;
  /** The path as documented, where the router's has no names. */
  readonly path?: string;
}

/** What the OpenAPI document says of each route, by method and path. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "POST /v1/chat/completions": {
    summary: "Answers a conversation; with `stream`, as server-sent events that end with [DONE]",
    tag: "generation",
    body: chatRequestSchema,
    answer: chatCompletionSchema,
  },
  "POST /v1/completions": {
    summary: "Goes on with texts or token ids, or scores them with `echo` and `logprobs`",
    tag: "generation",
    body: completionRequestSchema,
    answer: completionSchema,
  },
  "POST /v1/fim/completions": {
    summary: "Fills in what belongs between `prompt` and `suffix`; 400 for a model without the tokens for it",
    tag: "generation",
    body: fimRequestSchema,
    answer: chatCompletionSchema,
  },
  "GET /v1/streams/:id": {
    summary: "Writes a streamed answer once more, from behind the event named by Last-Event-ID",
    tag: "streams",
  },
  "DELETE /v1/streams/:id": {
    summary: "Ends the generation of a streamed answer",
    tag: "streams",
    answer: streamCancelledSchema,
  },
  "POST /tokenize": {
    summary: "Token ids of a text or of a conversation",
    tag: "tokenizer",
    body: tokenizeRequestSchema,
    answer: tokenizeResponseSchema,
  },
  "POST /detokenize": {
    summary: "The text of token ids",
    tag: "tokenizer",
    body: detokenizeRequestSchema,
    answer: detokenizeResponseSchema,
  },
  "GET /tokenizer_info": { summary: "Special tokens and chat template", tag: "tokenizer", answer: tokenizerInfoSchema },
  "GET /v1/models": { summary: "The served model", tag: "models", answer: modelListSchema },
  "GET /v1/models/*": {
    summary: "The served model, by its name or an alias",
    tag: "models",
    answer: modelSchema,
    path: "/v1/models/:model",
  },
  "GET /health": { summary: "The process answers", tag: "operations", answer: z.object({ status: z.literal("ok") }) },
  "GET /ready": {
    summary: "A coordinator can take requests; 503 and the reason if none can",
    tag: "operations",
    answer: z.object({ status: z.literal("ready") }),
  },
  "GET /metrics": { summary: "Prometheus text", tag: "operations" },
  "GET /status": { summary: "Coordinators, stages and this gateway", tag: "operations" },
};
