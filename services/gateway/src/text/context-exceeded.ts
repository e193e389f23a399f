import { RequestError } from "../request-error.js";

export interface LongPrompt {
  /** The field by which the refusal calls the prompt. */
  readonly param: string;
  readonly tokens: number;
  /** The tokens were not counted: the prompt's length shows that there are at least as many. */
  readonly isLeast?: boolean;
  /** `max_tokens`, if that is what does not fit. */
  readonly asked?: number | undefined;
  readonly contextLength: number;
}

/**
 * The refusal of a prompt that does not fit the context, or leaves too little room for its answer. Clients (LiteLLM)
 * know it by OpenAI's words "this model's maximum context length is".
 */
export function contextExceeded({ param, tokens, isLeast = false, asked, contextLength }: LongPrompt): RequestError {
  const name = param === "prompt" || param === "messages" ? "the prompt" : param;
  const count = `${isLeast ? "at least " : ""}${tokens} tokens`;
  const wanted = asked ? ` and max_tokens asks for ${asked} more` : "";
  const remedy = asked ? `Shorten ${name} or lower max_tokens.` : `Shorten ${name}.`;
  return new RequestError(
    "CONTEXT_LENGTH_EXCEEDED",
    `${name.replace(/^the /, "The ")} has ${count}${wanted}; this model's maximum context length is ${contextLength}. ${remedy}`,
    { param, details: { n_prompt_tokens: tokens, n_ctx: contextLength } },
  );
}
