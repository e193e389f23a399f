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

/** Answers as openai-openapi's openapi.yaml and the types of the `openai` package (6.49.0) describe them, by hand. */

const tokenIds = list(count);

const usage = exactly({
  required: { prompt_tokens: count, completion_tokens: count, total_tokens: count },
  optional: {
    prompt_tokens_details: exactly({
      required: {},
      optional: { cached_tokens: count, audio_tokens: count, cache_write_tokens: count },
    }),
    completion_tokens_details: exactly({
      required: {},
      optional: {
        reasoning_tokens: count,
        audio_tokens: count,
        accepted_prediction_tokens: count,
        rejected_prediction_tokens: count,
      },
    }),
  },
});

const alternative = { token: text, logprob: number, bytes: orNull(list(count)) };
const tokenLogprobs = list(
  exactly({ required: { ...alternative, top_logprobs: list(exactly({ required: alternative })) } }),
);
const chatLogprobs = exactly({ required: { content: orNull(tokenLogprobs), refusal: orNull(tokenLogprobs) } });

/** vLLM's `prompt_logprobs`. */
const promptLogprobs = list(
  orNull(mapOf(exactly({ required: { logprob: number, rank: orNull(count), decoded_token: text } }))),
);

const toolCall = {
  id: text,
  type: one("function"),
  function: exactly({ required: { name: text, arguments: text } }),
};

const finish = ["stop", "length", "tool_calls", "content_filter", "function_call"] as const;

const head = { id: text, created: seconds, model: text };

/** ChatCompletion. */
export const chatCompletion: Schema = exactly({
  required: {
    ...head,
    object: one("chat.completion"),
    choices: list(
      exactly({
        required: {
          index: count,
          finish_reason: among(...finish),
          logprobs: orNull(chatLogprobs),
          message: exactly({
            required: { role: one("assistant"), content: orNull(text), refusal: orNull(text) },
            // The index is Mistral's.
            optional: {
              tool_calls: list(exactly({ required: toolCall, ours: { index: count } })),
              annotations: list(anything),
            },
          }),
        },
        ours: { token_ids: tokenIds },
      }),
    ),
  },
  optional: { system_fingerprint: text, usage, service_tier: orNull(text) },
  ours: { prompt_token_ids: tokenIds, prompt_logprobs: promptLogprobs },
});

/** ChatCompletionChunk, plus what clients need: finish_reason on every chunk, no `usage: null`, whole tool calls. */
export const chatChunk: Schema = exactly({
  required: {
    ...head,
    object: one("chat.completion.chunk"),
    choices: list(
      exactly({
        required: {
          index: count,
          finish_reason: among(...finish, null),
          delta: exactly({
            required: {},
            optional: {
              role: one("assistant"),
              content: orNull(text),
              refusal: orNull(text),
              tool_calls: list(exactly({ required: { index: count, ...toolCall } })),
            },
          }),
        },
        optional: { logprobs: orNull(chatLogprobs) },
        ours: { token_ids: tokenIds },
      }),
    ),
  },
  optional: { system_fingerprint: text, usage, service_tier: orNull(text) },
  ours: { prompt_token_ids: tokenIds },
});

const completionLogprobs = exactly({
  required: {},
  optional: {
    tokens: list(text),
    token_logprobs: list(orNull(number)),
    top_logprobs: list(orNull(mapOf(number))),
    text_offset: list(whole),
  },
});

const completionOf = (...reasons: readonly unknown[]): Schema =>
  exactly({
    required: {
      ...head,
      object: one("text_completion"),
      choices: list(
        exactly({
          required: {
            index: count,
            text,
            logprobs: orNull(completionLogprobs),
            finish_reason: among("stop", "length", "content_filter", ...reasons),
          },
          ours: { token_ids: tokenIds, prompt_token_ids: tokenIds, prompt_logprobs: promptLogprobs },
        }),
      ),
    },
    optional: { system_fingerprint: text, usage },
  });

/** Completion. */
export const completion: Schema = completionOf();
/** Completion as a chunk: not finished yet. */
export const completionChunk: Schema = completionOf(null);

/** Model; the rest are vLLM's fields and those of Mistral's BaseModelCard. */
export const model: Schema = exactly({
  required: { id: text, object: one("model"), created: seconds, owned_by: text },
  ours: {
    root: text,
    max_model_len: orNull(count),
    type: text,
    max_context_length: orNull(count),
    aliases: list(text),
    capabilities: mapOf(flag),
    ready: flag,
  },
});
export const modelList: Schema = exactly({ required: { object: one("list"), data: list(model) } });

const failure = { message: { type: "string", minLength: 1 }, type: text, param: orNull(text), code: orNull(text) };
/** llama-server's fields about a prompt that is too long. */
const numbers = { n_prompt_tokens: count, n_ctx: count };

/** ErrorResponse, with Mistral's fields beside it. */
export const error: Schema = exactly({
  required: { error: exactly({ required: failure, ours: numbers }) },
  ours: { object: one("error"), ...failure, ...numbers },
});

/** OpenAIFile; the rest are Mistral's fields. */
export const file: Schema = exactly({
  required: {
    id: { type: "string", pattern: "^file-" },
    object: one("file"),
    bytes: count,
    created_at: seconds,
    filename: text,
    purpose: among(
      "assistants",
      "assistants_output",
      "batch",
      "batch_output",
      "fine-tune",
      "fine-tune-results",
      "vision",
      "user_data",
    ),
    status: among("uploaded", "processed", "error"),
  },
  optional: { expires_at: seconds, status_details: text },
  ours: {
    sample_type: text,
    num_lines: orNull(count),
    source: text,
    mimetype: orNull(text),
    signature: orNull(text),
    deleted: flag,
  },
});

const page = (items: Schema, ours: Readonly<Record<string, Schema>> = {}): Schema =>
  exactly({
    required: { object: one("list"), data: list(items), has_more: flag },
    optional: { first_id: orNull(text), last_id: orNull(text) },
    ours,
  });

export const fileList: Schema = page(file, { total: count });
export const fileDeleted: Schema = exactly({ required: { id: text, object: one("file"), deleted: flag } });

const time = orNull(seconds);

/** Batch: times of events that have not happened are null, as in the description's examples. */
export const batch: Schema = exactly({
  required: {
    id: { type: "string", pattern: "^batch_" },
    object: one("batch"),
    endpoint: text,
    input_file_id: text,
    completion_window: text,
    status: among(
      "validating",
      "failed",
      "in_progress",
      "finalizing",
      "completed",
      "expired",
      "cancelling",
      "cancelled",
    ),
    created_at: seconds,
  },
  optional: {
    model: orNull(text),
    errors: orNull(
      exactly({
        required: {},
        optional: {
          object: one("list"),
          data: list(
            exactly({
              required: {},
              optional: { code: text, message: text, param: orNull(text), line: orNull(count) },
            }),
          ),
        },
      }),
    ),
    output_file_id: orNull(text),
    error_file_id: orNull(text),
    in_progress_at: time,
    expires_at: time,
    finalizing_at: time,
    completed_at: time,
    failed_at: time,
    expired_at: time,
    cancelling_at: time,
    cancelled_at: time,
    request_counts: exactly({ required: { total: count, completed: count, failed: count } }),
    usage: exactly({
      required: {
        input_tokens: count,
        input_tokens_details: exactly({ required: { cached_tokens: count } }),
        output_tokens: count,
        output_tokens_details: exactly({ required: { reasoning_tokens: count } }),
        total_tokens: count,
      },
    }),
    metadata: orNull(mapOf(text)),
  },
});
export const batchList: Schema = page(batch);

/** BatchRequestOutput: a line of an output or error file. */
export const batchLine: Schema = exactly({
  required: {
    id: { type: "string", pattern: "^batch_req_" },
    custom_id: text,
    response: orNull(exactly({ required: { status_code: whole, request_id: text, body: { type: "object" } } })),
    error: orNull(exactly({ required: { code: text, message: text } })),
  },
});

const vector = exactly({
  required: { object: one("embedding"), index: count, embedding: { anyOf: [list(number), text] } },
});

/** CreateEmbeddingResponse; a vector may be base64. Mistral's has an id, and usage in full. */
export const embeddings: Schema = exactly({
  required: {
    object: one("list"),
    model: text,
    data: list(vector),
    usage: exactly({
      required: { prompt_tokens: count, total_tokens: count },
      ours: { completion_tokens: count, prompt_tokens_details: anything },
    }),
  },
  ours: { id: text, created: seconds, pooling: text, normalized: flag, system_fingerprint: text },
});
