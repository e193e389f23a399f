import {
  among,
  anything,
  count,
  exactly,
  flag,
  list,
  mapOf,
  number,
  one,
  orNull,
  type Schema,
  seconds,
  text,
  whole,
} from "./schema-parts.js";

/** Answers as Mistral's openapi.yaml and the schemas of `@mistralai/mistralai` (2.7.0) describe them, by hand. */

const usage = exactly({
  required: { prompt_tokens: count, completion_tokens: count, total_tokens: count },
  optional: { prompt_audio_seconds: orNull(whole), service_tier: orNull(text) },
  ours: { prompt_tokens_details: anything, completion_tokens_details: anything },
});

const toolCall = exactly({
  required: {
    id: { type: "string", pattern: "^[a-zA-Z0-9]{9}$" },
    function: exactly({ required: { name: text, arguments: text } }),
  },
  optional: { type: one("function"), index: count },
});

/** OpenAI's and vLLM's fields of a choice. */
const foreignOfChoice = { logprobs: anything, token_ids: anything };

/** ChatCompletionResponse, and FIMCompletionResponse, which is the same. */
export const chatCompletion: Schema = exactly({
  required: {
    id: text,
    object: one("chat.completion"),
    created: seconds,
    model: text,
    usage,
    choices: list(
      exactly({
        required: {
          index: count,
          finish_reason: among("stop", "length", "model_length", "error", "tool_calls"),
          message: exactly({
            required: { role: one("assistant"), content: orNull(text) },
            optional: { tool_calls: orNull(list(toolCall)), prefix: flag },
            ours: { refusal: { type: "null" } },
          }),
        },
        ours: foreignOfChoice,
      }),
    ),
  },
  ours: { system_fingerprint: text, prompt_token_ids: anything, prompt_logprobs: anything },
});

/** CompletionChunk. */
export const chatChunk: Schema = exactly({
  required: {
    id: text,
    model: text,
    choices: list(
      exactly({
        required: {
          index: count,
          finish_reason: among("stop", "length", "error", "tool_calls", null),
          delta: exactly({
            required: {},
            optional: { role: one("assistant"), content: orNull(text), tool_calls: orNull(list(toolCall)) },
          }),
        },
        ours: foreignOfChoice,
      }),
    ),
  },
  optional: { object: one("chat.completion.chunk"), created: seconds, usage },
  ours: { system_fingerprint: text, prompt_token_ids: anything },
});

const CAPABILITIES = ["completion_chat", "completion_fim", "function_calling", "fine_tuning", "vision"];

/** BaseModelCard; the rest are vLLM's fields. */
export const model: Schema = exactly({
  required: {
    id: text,
    object: one("model"),
    owned_by: text,
    type: one("base"),
    max_context_length: count,
    capabilities: exactly({ required: Object.fromEntries(CAPABILITIES.map((name) => [name, flag])) }),
  },
  optional: { created: seconds, aliases: list(text) },
  ours: { root: text, max_model_len: count, ready: flag },
});
export const modelList: Schema = exactly({ required: { object: one("list"), data: list(model) } });

/** FileSchema and CreateFileResponse; the status and the purpose of a batch's output are OpenAI's. */
export const file: Schema = exactly({
  required: {
    id: text,
    object: one("file"),
    bytes: count,
    created_at: seconds,
    filename: text,
    purpose: among("fine-tune", "batch", "ocr", "batch_output"),
    sample_type: among("pretrain", "instruct", "batch_request", "batch_result", "batch_error"),
    source: among("upload", "repository", "mistral"),
  },
  optional: {
    num_lines: orNull(count),
    mimetype: orNull(text),
    signature: orNull(text),
    expires_at: orNull(seconds),
  },
  // `deleted` is official where a file is retrieved.
  ours: { status: text, deleted: flag },
});

/** ListFilesResponse; the rest are OpenAI's fields. */
export const fileList: Schema = exactly({
  required: { object: one("list"), data: list(file) },
  optional: { total: orNull(count) },
  ours: { first_id: orNull(text), last_id: orNull(text), has_more: flag },
});
export const fileDeleted: Schema = exactly({ required: { id: text, object: one("file"), deleted: flag } });

/** BatchJob. */
export const batchJob: Schema = exactly({
  required: {
    id: text,
    input_files: list(text),
    endpoint: text,
    errors: list(exactly({ required: { message: text }, optional: { count: { type: "integer", minimum: 1 } } })),
    status: among("QUEUED", "RUNNING", "SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLATION_REQUESTED", "CANCELLED"),
    created_at: seconds,
    total_requests: count,
    completed_requests: count,
    succeeded_requests: count,
    failed_requests: count,
  },
  optional: {
    object: one("batch"),
    metadata: orNull(mapOf(anything)),
    model: orNull(text),
    agent_id: orNull(text),
    output_file: orNull(text),
    error_file: orNull(text),
    outputs: orNull(list({ type: "object" })),
    started_at: orNull(seconds),
    completed_at: orNull(seconds),
  },
});
export const batchJobList: Schema = exactly({
  required: { object: one("list"), data: list(batchJob), total: count },
});

/** EmbeddingResponse. */
export const embeddings: Schema = exactly({
  required: {
    id: text,
    object: text,
    model: text,
    usage: exactly({
      required: { prompt_tokens: count, completion_tokens: count, total_tokens: count },
      ours: { prompt_tokens_details: anything },
    }),
    data: list(
      exactly({ required: { object: one("embedding"), index: count, embedding: { anyOf: [list(number), text] } } }),
    ),
  },
  ours: { created: seconds, pooling: text, normalized: flag, system_fingerprint: text },
});

/** The envelope of Mistral's errors, with OpenAI's beside it. */
export const error: Schema = exactly({
  required: { object: one("error"), message: text, type: text, param: orNull(text), code: orNull(text) },
  ours: { error: anything, n_prompt_tokens: count, n_ctx: count },
});
