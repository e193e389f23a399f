import { expect, it } from "vitest";
import { contextExceeded } from "./context-exceeded.js";

it.each([
  [
    { param: "prompt", tokens: 61 },
    "The prompt has 61 tokens; this model's maximum context length is 64. Shorten the prompt.",
  ],
  [
    { param: "messages", tokens: 61, asked: 9 },
    "The prompt has 61 tokens and max_tokens asks for 9 more; this model's maximum context length is 64. " +
      "Shorten the prompt or lower max_tokens.",
  ],
  [
    { param: "input.3", tokens: 99, isLeast: true },
    "input.3 has at least 99 tokens; this model's maximum context length is 64. Shorten input.3.",
  ],
])("says of %j what does not fit", (prompt, message) => {
  const { param, tokens } = prompt;
  const details = { n_prompt_tokens: tokens, n_ctx: 64 };
  const refusal = contextExceeded({ ...prompt, contextLength: 64 });
  expect(refusal).toMatchObject({ code: "CONTEXT_LENGTH_EXCEEDED", message, param, details });
});
