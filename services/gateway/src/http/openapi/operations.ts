import type { FastifyRequest } from "fastify";
import { z } from "zod";
import * as batches from "../../batches/batch-request.js";
import { countTokensRequestSchema, messagesRequestSchema } from "../../requests/messages/message-fields.js";
import { chatRequestSchema } from "../../requests/prepare-chat.js";
import { completionRequestSchema } from "../../requests/prepare-completion.js";
import { embeddingRequestSchema } from "../../requests/prepare-embeddings.js";
import { fimRequestSchema } from "../../requests/prepare-fim.js";
import { modelQuerySchema } from "../../requests/request-fields.js";
import * as responses from "../../requests/responses/response-fields.js";
import { detokenizeRequestSchema, tokenizeRequestSchema } from "../../requests/tokenize.js";
import { chatCompletionSchema, completionSchema, embeddingListSchema, messageSchema } from "./generation-schemas.js";
import * as answers from "./response-schemas.js";
import { inputItemListSchema, inputTokensSchema, responseDeletedSchema, responseSchema } from "./responses-schemas.js";

export interface Operation {
  readonly summary: string;
  readonly tag: "generation" | "responses" | "batches" | "streams" | "tokenizer" | "models" | "operations";
  /** Reads the body. */
  readonly body?: z.ZodType;
  /** Reads the query. */
  readonly query?: z.ZodType;
  /** The content type of the body, where it is not JSON. */
  readonly takes?: string;
  /** The JSON of a 200; undefined: a shape that is not promised, or another type. */
  readonly answer?: z.ZodType;
  /** The content types of a 200, where it is not always JSON. */
  readonly gives?: readonly string[];
  /** How its failures are told; absent: as OpenAI does. */
  readonly dialect?: "messages";
  /** The documented path, where the router's lacks names. */
  readonly path?: string;
}

/** The operation that a request asks for; undefined for a route outside the table. */
export function operationOf({ method, routeOptions }: FastifyRequest): Operation | undefined {
  return OPERATIONS[`${method === "HEAD" ? "GET" : method} ${routeOptions.url}`];
}

/** Whether a request needs no body. A body that it has is read all the same. */
export const needsNoBody = (operation: Operation | undefined): boolean =>
  operation !== undefined && operation.body === undefined;

/** Whether it uses the model, and so counts against its caller's limits. */
export const isGeneration = (operation: Operation | undefined): boolean => operation?.tag === "generation";

const EVENTS = "text/event-stream";
/** Whole, or with `stream: true` as server-sent events. */
const JSON_OR_EVENTS = ["application/json", EVENTS];

/** The parts of an upload, for the document; `receiveFile` reads them. */
const uploadSchema = z.object({
  purpose: z.literal("batch"),
  file: z.string().meta({ format: "binary" }),
  "expires_after[anchor]": z.literal("created_at").optional(),
  "expires_after[seconds]": batches.expiresAfterSchema.shape.seconds.optional(),
});

/** The routes by method and path, for the OpenAPI document, for API keys and for limits. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "POST /v1/chat/completions": {
    summary:
      "Generate the next message of a conversation; with `stream: true`, as server-sent events that end with [DONE]",
    tag: "generation",
    body: chatRequestSchema,
    answer: chatCompletionSchema,
    gives: JSON_OR_EVENTS,
  },
  "POST /v1/completions": {
    summary: "Continue texts or token ids, or score them with `echo` and `logprobs`",
    tag: "generation",
    body: completionRequestSchema,
    answer: completionSchema,
    gives: JSON_OR_EVENTS,
  },
  "POST /v1/fim/completions": {
    summary: "Generate the text between `prompt` and `suffix`; 400 if the model lacks fill-in-the-middle tokens",
    tag: "generation",
    body: fimRequestSchema,
    answer: chatCompletionSchema,
    gives: JSON_OR_EVENTS,
  },
  "POST /v1/messages": {
    summary:
      "Generate the next message of a conversation in the shape of Anthropic's Messages; with `stream: true`, as named " +
      "server-sent events",
    tag: "generation",
    body: messagesRequestSchema,
    answer: messageSchema,
    gives: JSON_OR_EVENTS,
    dialect: "messages",
  },
  "POST /v1/embeddings": {
    summary:
      "Embed texts or token ids: the mean of the model's hidden states after its final norm, L2-normalised. " +
      "Generative models were not trained for embeddings",
    tag: "generation",
    body: embeddingRequestSchema,
    answer: embeddingListSchema,
  },
  "POST /v1/responses": {
    summary:
      "Generate a response in OpenAI's newer shape; it is stored unless `store: false`, and runs on without its client " +
      "with `background: true`",
    tag: "generation",
    body: responses.responseRequestSchema,
    answer: responseSchema,
    gives: JSON_OR_EVENTS,
  },
  "POST /v1/responses/input_tokens": {
    summary: "Count the tokens of the prompt that `/v1/responses` makes of these fields",
    tag: "tokenizer",
    body: responses.responseRequestSchema,
    answer: inputTokensSchema,
  },
  "GET /v1/responses/:id": {
    summary: "Read a stored response; with `stream=true`, its events again, from behind `starting_after`",
    tag: "responses",
    query: responses.responseQuerySchema,
    answer: responseSchema,
    gives: JSON_OR_EVENTS,
  },
  "DELETE /v1/responses/:id": {
    summary: "Delete a stored response; one in the background ends",
    tag: "responses",
    answer: responseDeletedSchema,
  },
  "GET /v1/responses/:id/input_items": {
    summary: "List what a stored response answers to",
    tag: "responses",
    query: responses.inputItemsQuerySchema,
    answer: inputItemListSchema,
  },
  "POST /v1/responses/:id/cancel": {
    summary: "End a response in the background, and keep what there is of it",
    tag: "responses",
    answer: responseSchema,
  },
  "GET /v1/streams/:id": {
    summary: "Resume a streamed answer after the event named by Last-Event-ID, or repeat it from the start",
    tag: "streams",
    gives: [EVENTS],
  },
  "DELETE /v1/streams/:id": {
    summary: "Cancel the generation of a streamed answer",
    tag: "streams",
    answer: answers.streamCancelledSchema,
  },
  "POST /tokenize": {
    summary: "Turn a text or a conversation into token ids",
    tag: "tokenizer",
    body: tokenizeRequestSchema,
    answer: answers.tokenizeResponseSchema,
  },
  "POST /detokenize": {
    summary: "Turn token ids into text",
    tag: "tokenizer",
    body: detokenizeRequestSchema,
    answer: answers.detokenizeResponseSchema,
  },
  "POST /v1/messages/count_tokens": {
    summary: "Count the tokens of the prompt that `/v1/messages` makes of these fields",
    tag: "tokenizer",
    body: countTokensRequestSchema,
    answer: answers.tokenCountSchema,
    dialect: "messages",
  },
  "GET /tokenizer_info": {
    summary: "Describe the tokenizer of a model, the first by default: special tokens and chat template",
    tag: "tokenizer",
    query: modelQuerySchema,
    answer: answers.tokenizerInfoSchema,
  },
  "GET /v1/models": { summary: "List the served models", tag: "models", answer: answers.modelListSchema },
  "GET /v1/models/*": {
    summary: "Describe a served model, by its name or an alias",
    tag: "models",
    answer: answers.modelSchema,
    path: "/v1/models/:model",
  },
  "POST /v1/files": {
    summary: "Upload a file of requests, a JSON object on each line",
    tag: "batches",
    body: uploadSchema,
    takes: "multipart/form-data",
  },
  "GET /v1/files": { summary: "List files", tag: "batches", query: batches.fileListSchema },
  "GET /v1/files/:id": { summary: "Describe a file", tag: "batches" },
  "GET /v1/files/:id/content": { summary: "Download a file", tag: "batches", gives: ["application/octet-stream"] },
  "DELETE /v1/files/:id": { summary: "Delete a file", tag: "batches" },
  "POST /v1/batches": {
    summary: "Run the requests of a file in the background, behind interactive requests",
    tag: "batches",
    body: batches.batchRequestSchema,
  },
  "GET /v1/batches": { summary: "List batches", tag: "batches", query: batches.batchListSchema },
  "GET /v1/batches/:id": { summary: "Describe a batch and its progress", tag: "batches" },
  "POST /v1/batches/:id/cancel": { summary: "Cancel a batch; finished lines keep their results", tag: "batches" },
  "POST /v1/batch/jobs": {
    summary: "Run requests in the background, in the shape of Mistral's batch jobs",
    tag: "batches",
    body: batches.batchJobRequestSchema,
  },
  "GET /v1/batch/jobs": {
    summary: "List batches in the shape of Mistral's batch jobs",
    tag: "batches",
    query: batches.batchJobListSchema,
  },
  "GET /v1/batch/jobs/:id": {
    summary: "Describe a batch and its progress in the shape of Mistral's batch jobs",
    tag: "batches",
    query: batches.batchJobQuerySchema,
  },
  "POST /v1/batch/jobs/:id/cancel": { summary: "Cancel a batch; finished lines keep their results", tag: "batches" },
  "GET /health": {
    summary: "Liveness: the process answers",
    tag: "operations",
    answer: z.object({ status: z.literal("ok") }),
  },
  "GET /ready": {
    summary: "Readiness: a coordinator takes requests, of `model` or of any; otherwise 503, or 404, with the reason",
    tag: "operations",
    query: modelQuerySchema,
    answer: z.object({ status: z.literal("ready"), models: z.record(z.string(), z.string()) }),
  },
  "GET /metrics": {
    summary: "Metrics of this gateway in the Prometheus text format",
    tag: "operations",
    gives: ["text/plain"],
  },
  "GET /metrics/targets": {
    summary: "Every process of the cluster that has metrics, for Prometheus' `http_sd_configs`; 401 without a key",
    tag: "operations",
    answer: z.array(z.object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) })),
  },
  "GET /status": { summary: "State of the coordinators, their stages and this gateway", tag: "operations" },
};
