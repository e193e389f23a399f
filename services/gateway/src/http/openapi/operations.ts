import { z } from "zod";
import {
  batchJobListSchema,
  batchJobRequestSchema,
  batchListSchema,
  batchRequestSchema,
  fileListSchema,
} from "../../batches/batch-request.js";
import { chatRequestSchema } from "../../requests/chat-request.js";
import { completionRequestSchema } from "../../requests/completion-request.js";
import { embeddingRequestSchema } from "../../requests/embedding-request.js";
import { fimRequestSchema } from "../../requests/fim-request.js";
import { structuredSchema } from "../../requests/structured/structured-fields.js";
import { detokenizeRequestSchema, tokenizeRequestSchema } from "../../requests/tokenize-request.js";
import {
  chatCompletionSchema,
  completionSchema,
  detokenizeResponseSchema,
  embeddingListSchema,
  modelListSchema,
  modelSchema,
  streamCancelledSchema,
  tokenizeResponseSchema,
  tokenizerInfoSchema,
} from "./response-schemas.js";

export interface Operation {
  readonly summary: string;
  readonly tag: "generation" | "batches" | "streams" | "tokenizer" | "models" | "operations";
  /** The schema that reads the body. */
  readonly body?: z.ZodType;
  /** The schema that reads the query. */
  readonly query?: z.ZodType;
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
    body: chatRequestSchema.extend(structuredSchema.shape),
    answer: chatCompletionSchema,
  },
  "POST /v1/completions": {
    summary: "Goes on with texts or token ids, or scores them with `echo` and `logprobs`",
    tag: "generation",
    body: completionRequestSchema.extend(structuredSchema.shape),
    answer: completionSchema,
  },
  "POST /v1/fim/completions": {
    summary: "Fills in what belongs between `prompt` and `suffix`; 400 for a model without the tokens for it",
    tag: "generation",
    body: fimRequestSchema,
    answer: chatCompletionSchema,
  },
  "POST /v1/embeddings": {
    summary:
      "Embeds texts or token ids: the mean of the model's hidden states after its final norm, L2-normalised; the model was trained to go on with texts, not for this",
    tag: "generation",
    body: embeddingRequestSchema,
    answer: embeddingListSchema,
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
  "POST /v1/files": { summary: "Takes a file: multipart, with `purpose` and `file`", tag: "batches" },
  "GET /v1/files": { summary: "The files, in pages", tag: "batches", query: fileListSchema },
  "GET /v1/files/:id": { summary: "What is known of a file", tag: "batches" },
  "GET /v1/files/:id/content": { summary: "A file's bytes", tag: "batches" },
  "DELETE /v1/files/:id": { summary: "Deletes a file", tag: "batches" },
  "POST /v1/batches": {
    summary: "Answers the requests of a file when nothing more urgent is asked for",
    tag: "batches",
    body: batchRequestSchema,
  },
  "GET /v1/batches": { summary: "The batches, in pages", tag: "batches", query: batchListSchema },
  "GET /v1/batches/:id": { summary: "How far a batch is", tag: "batches" },
  "POST /v1/batches/:id/cancel": { summary: "Ends a batch; what is answered stays", tag: "batches" },
  "POST /v1/batch/jobs": { summary: "The same as Mistral has it", tag: "batches", body: batchJobRequestSchema },
  "GET /v1/batch/jobs": { summary: "The batches as Mistral lists them", tag: "batches", query: batchJobListSchema },
  "GET /v1/batch/jobs/:id": { summary: "How far a batch is, as Mistral says it", tag: "batches" },
  "POST /v1/batch/jobs/:id/cancel": { summary: "Ends a batch; what is answered stays", tag: "batches" },
  "GET /health": { summary: "The process answers", tag: "operations", answer: z.object({ status: z.literal("ok") }) },
  "GET /ready": {
    summary: "A coordinator can take requests; 503 and the reason if none can",
    tag: "operations",
    answer: z.object({ status: z.literal("ready") }),
  },
  "GET /metrics": { summary: "Prometheus text", tag: "operations" },
  "GET /status": { summary: "Coordinators, stages and this gateway", tag: "operations" },
};
