import { among, anything, count, exactly, list, one, orNull, type Schema, text } from "./schema-parts.js";

/** Answers and events as the types of Anthropic's own `@anthropic-ai/sdk` describe them, by hand. */

const tokens = orNull(count);

const serverTools = orNull(exactly({ required: { web_fetch_requests: count, web_search_requests: count } }));
const outputDetails = orNull(exactly({ required: { thinking_tokens: count } }));

const usage = exactly({
  required: {
    cache_creation: orNull(
      exactly({ required: { ephemeral_1h_input_tokens: count, ephemeral_5m_input_tokens: count } }),
    ),
    cache_creation_input_tokens: tokens,
    cache_read_input_tokens: tokens,
    inference_geo: orNull(text),
    input_tokens: count,
    output_tokens: count,
    output_tokens_details: outputDetails,
    server_tool_use: serverTools,
    service_tier: orNull(among("standard", "priority", "batch")),
  },
});

const deltaUsage = exactly({
  required: {
    cache_creation_input_tokens: tokens,
    cache_read_input_tokens: tokens,
    input_tokens: tokens,
    output_tokens: count,
    output_tokens_details: outputDetails,
    server_tool_use: serverTools,
  },
});

const stopReason = among(
  "end_turn",
  "max_tokens",
  "stop_sequence",
  "tool_use",
  "pause_turn",
  "refusal",
  "model_context_window_exceeded",
);
const container = orNull(exactly({ required: { id: text, expires_at: text } }));
const stopDetails = orNull(
  exactly({ required: { type: one("refusal"), category: orNull(text), explanation: orNull(text) } }),
);

/** Of the blocks that a model without thoughts and server tools answers with. */
const textBlock = exactly({ required: { type: one("text"), text }, optional: { citations: list(anything) } });
const toolUseBlock = exactly({
  required: {
    type: one("tool_use"),
    id: text,
    name: text,
    input: { type: "object" },
    caller: exactly({ required: { type: one("direct") } }),
  },
});
const contentBlock: Schema = { anyOf: [textBlock, toolUseBlock] };

const messageOf = (content: Schema, stop: Schema): Schema =>
  exactly({
    required: {
      id: text,
      type: one("message"),
      role: one("assistant"),
      model: text,
      content,
      stop_reason: stop,
      stop_sequence: orNull(text),
      stop_details: stopDetails,
      container,
      usage,
    },
  });

export const message = messageOf(list(contentBlock), stopReason);

export const tokenCount = exactly({ required: { input_tokens: count } });

const errorBody = {
  type: one("error"),
  error: exactly({
    required: {
      type: among(
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "timeout_error",
        "overloaded_error",
        "api_error",
      ),
      message: text,
    },
  }),
  request_id: orNull(text),
};
export const error = exactly({ required: errorBody });

const delta: Schema = {
  anyOf: [
    exactly({ required: { type: one("text_delta"), text } }),
    exactly({ required: { type: one("input_json_delta"), partial_json: text } }),
  ],
};

/** The schema of each event of a stream, by its name. */
export const events: Readonly<Record<string, Schema>> = {
  message_start: exactly({
    required: { type: one("message_start"), message: messageOf({ type: "array", maxItems: 0 }, { type: "null" }) },
  }),
  content_block_start: exactly({
    required: { type: one("content_block_start"), index: count, content_block: contentBlock },
  }),
  ping: exactly({ required: { type: one("ping") } }),
  content_block_delta: exactly({ required: { type: one("content_block_delta"), index: count, delta } }),
  content_block_stop: exactly({ required: { type: one("content_block_stop"), index: count } }),
  message_delta: exactly({
    required: {
      type: one("message_delta"),
      delta: exactly({
        required: { container, stop_details: stopDetails, stop_reason: stopReason, stop_sequence: orNull(text) },
      }),
      usage: deltaUsage,
    },
  }),
  message_stop: exactly({ required: { type: one("message_stop") } }),
  error,
};
