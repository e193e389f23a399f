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
} from "./schema-parts.js";

/** Responses as openai-openapi's openapi.yaml and the types of the `openai` package (6.49.0) describe them, by hand. */

const itemStatus = among("in_progress", "completed", "incomplete");
const filled: Schema = { type: "string", minLength: 1 };

const contentScore = { token: text, logprob: number, bytes: list(count) };
/** LogProb of a content part. */
const contentLogprobs = list(
  exactly({ required: { ...contentScore, top_logprobs: list(exactly({ required: contentScore })) } }),
);

/** ResponseLogProb of an event. */
const eventScore = { token: text, logprob: number };
const eventLogprobs = list(
  exactly({ required: eventScore, optional: { top_logprobs: list(exactly({ required: {}, optional: eventScore })) } }),
);

const outputText = exactly({
  required: { type: one("output_text"), text, annotations: list(anything) },
  optional: { logprobs: contentLogprobs },
});
const refusal = exactly({ required: { type: one("refusal"), refusal: text } });

const outputMessage = exactly({
  required: {
    id: filled,
    type: one("message"),
    role: one("assistant"),
    status: itemStatus,
    content: list({ anyOf: [outputText, refusal] }),
  },
  optional: { phase: among("commentary", "final_answer", null) },
});

const functionCall = exactly({
  required: { id: filled, type: one("function_call"), call_id: filled, name: filled, arguments: text },
  optional: { status: itemStatus },
});

const outputItem: Schema = { anyOf: [outputMessage, functionCall] };

const inputText = exactly({ required: { type: one("input_text"), text } });

/** ItemResource. */
const inputItem: Schema = {
  anyOf: [
    exactly({
      required: {
        id: filled,
        type: one("message"),
        role: among("user", "system", "developer"),
        content: list(inputText),
      },
      optional: { status: itemStatus },
    }),
    outputMessage,
    functionCall,
    exactly({
      required: {
        id: filled,
        type: one("function_call_output"),
        call_id: filled,
        output: { anyOf: [text, list(inputText)] },
      },
      optional: { status: itemStatus },
    }),
  ],
};

/** ResponseItemList; the ends of an empty page are null. */
export const inputItemList: Schema = exactly({
  required: {
    object: one("list"),
    data: list(inputItem),
    has_more: flag,
    first_id: orNull(text),
    last_id: orNull(text),
  },
});

const functionTool = exactly({
  required: {
    type: one("function"),
    name: filled,
    parameters: orNull({ type: "object" }),
    strict: among(true, false, null),
  },
  optional: { description: orNull(text) },
});

const format: Schema = {
  anyOf: [
    exactly({ required: { type: one("text") } }),
    exactly({ required: { type: one("json_object") } }),
    exactly({
      required: { type: one("json_schema"), name: filled, schema: { type: "object" } },
      optional: { description: text, strict: among(true, false, null) },
    }),
  ],
};

const namedFunction = exactly({ required: { type: one("function"), name: filled } });

const usage = exactly({
  required: {
    input_tokens: count,
    input_tokens_details: exactly({ required: { cached_tokens: count, cache_write_tokens: count } }),
    output_tokens: count,
    output_tokens_details: exactly({ required: { reasoning_tokens: count } }),
    total_tokens: count,
  },
});

const statuses = ["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"] as const;

const responseWith = (status: Schema): Schema =>
  exactly({
    required: {
      id: { type: "string", pattern: "^resp_" },
      object: one("response"),
      created_at: seconds,
      status,
      error: orNull(exactly({ required: { code: among("server_error", "rate_limit_exceeded"), message: filled } })),
      incomplete_details: orNull(exactly({ required: { reason: among("max_output_tokens", "content_filter") } })),
      instructions: orNull(text),
      model: text,
      tools: list(functionTool),
      output: list(outputItem),
      parallel_tool_calls: flag,
      metadata: orNull(mapOf(text)),
      tool_choice: {
        anyOf: [
          among("none", "auto", "required"),
          namedFunction,
          exactly({
            required: { type: one("allowed_tools"), mode: among("auto", "required"), tools: list({ type: "object" }) },
          }),
        ],
      },
      temperature: orNull(number),
      top_p: orNull(number),
    },
    optional: {
      background: orNull(flag),
      max_output_tokens: orNull(count),
      max_tool_calls: orNull(count),
      previous_response_id: orNull(text),
      prompt_cache_key: orNull(text),
      reasoning: orNull(exactly({ required: {}, optional: { effort: orNull(text), summary: orNull(text) } })),
      safety_identifier: orNull(text),
      service_tier: among("auto", "default", "flex", "scale", "priority", null),
      text: exactly({ required: {}, optional: { format, verbosity: among("low", "medium", "high", null) } }),
      top_logprobs: orNull(count),
      truncation: among("auto", "disabled", null),
      usage,
      user: text,
    },
    // OpenAI's own responses have it; its description only has it in requests.
    ours: { store: flag },
  });

/** Response. */
export const response: Schema = responseWith(among(...statuses));

/** TokenCountsResource. */
export const inputTokens: Schema = exactly({ required: { object: one("response.input_tokens"), input_tokens: count } });

export const responseDeleted: Schema = exactly({
  required: { id: text, object: one("response"), deleted: one(true) },
});

const event = (type: string, required: Readonly<Record<string, Schema>>): Schema =>
  exactly({ required: { type: one(type), sequence_number: count, ...required } });

const place = { item_id: filled, output_index: count };
const partPlace = { ...place, content_index: count };

const carrying = (status: (typeof statuses)[number]): Record<string, Schema> => ({
  response: responseWith(one(status)),
});

/** ResponseStreamEvent, by name; the fields that follow from the status of the response are checked, too. */
export const responseEvents: Readonly<Record<string, Schema>> = Object.fromEntries(
  Object.entries({
    "response.created": { response: responseWith(among("in_progress", "queued")) },
    "response.queued": carrying("queued"),
    "response.in_progress": carrying("in_progress"),
    "response.completed": carrying("completed"),
    "response.incomplete": carrying("incomplete"),
    "response.failed": carrying("failed"),
    "response.output_item.added": { output_index: count, item: outputItem },
    "response.output_item.done": { output_index: count, item: outputItem },
    "response.content_part.added": { ...partPlace, part: outputText },
    "response.content_part.done": { ...partPlace, part: outputText },
    "response.output_text.delta": { ...partPlace, delta: text, logprobs: eventLogprobs },
    "response.output_text.done": { ...partPlace, text, logprobs: eventLogprobs },
    "response.function_call_arguments.delta": { ...place, delta: text },
    "response.function_call_arguments.done": { ...place, name: filled, arguments: text },
    error: { code: orNull(text), message: text, param: orNull(text) },
  } satisfies Record<string, Record<string, Schema>>).map(([type, fields]) => [type, event(type, fields)]),
);
