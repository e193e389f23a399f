import { readFileSync } from "node:fs";
import { packBias } from "@rhone/common";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { seedOf } from "../requests/to-jobs.js";
import { fakeGateway, hello, type Script } from "../testing/fake-gateway.js";

const PATHS = {
  chat: ["/v1/chat/completions", { messages: [{ role: "user", content: "hi" }] }],
  text: ["/v1/completions", { prompt: "ab" }],
  fim: ["/v1/fim/completions", { prompt: "ab" }],
  embed: ["/v1/embeddings", { input: "ab" }],
} as const;

interface Outcome {
  /** Of the first job. */
  readonly job?: object;
  readonly jobs?: number;
  /** The text of the first job's prompt, without its BOS. */
  readonly prompt?: string;
  /** What the chat template gets beside the messages. */
  readonly template?: object;
  readonly answer?: object;
  readonly stream?: RegExp;
  /** The refused field, and the error's code. */
  readonly refused?: readonly [param: string, code: string];
  /** The same job as without the field, but for its ids. */
  readonly ignored?: true;
}

type Case = readonly [where: keyof typeof PATHS, fields: object, outcome: Outcome];

const bad = (param: string): Outcome => ({ refused: [param, "invalid_value"] });
const unsupported = (param: string): Outcome => ({ refused: [param, "unsupported_parameter"] });
const samples = (sampling: object): Outcome => ({ job: { sampling } });
const structured = { job: { constraint: { grammar: expect.any(String) } } };

const schema = { type: "object" };
const weather = { name: "weather", parameters: schema };
const tools = [{ type: "function", function: weather }];
const ended = (content: string, more: object = {}) => ({
  messages: [
    { role: "user", content: "hi" },
    { role: "assistant", content, ...more },
  ],
});
const USAGE = /"usage":\{"prompt_tokens":\d+,"completion_tokens":2/;
const USAGE_CHUNK = /"choices":\[\],"usage":\{/;

/** By the names in the first columns of the tables of docs/api.md. */
const FIELDS: Readonly<Record<string, readonly Case[]>> = {
  temperature: [
    ["chat", { temperature: 0 }, samples({ temperature: 0 })],
    ["text", { temperature: 2.5 }, bad("temperature")],
  ],
  top_p: [
    ["text", { top_p: 0.5 }, samples({ topP: 0.5 })],
    ["text", { top_p: 0, temperature: 1.5 }, samples({ temperature: 0 })],
    ["text", { top_p: 1.01 }, bad("top_p")],
  ],
  frequency_penalty: [["fim", { frequency_penalty: -1 }, samples({ frequencyPenalty: -1 })]],
  presence_penalty: [["chat", { presence_penalty: 2 }, samples({ presencePenalty: 2 })]],
  top_k: [
    ["chat", { top_k: 5 }, samples({ topK: 5 })],
    ["chat", { top_k: -1 }, samples({ topK: 0 })],
  ],
  min_p: [["text", { min_p: 0.25 }, samples({ minP: 0.25 })]],
  repetition_penalty: [["text", { repetition_penalty: 1.25 }, samples({ repetitionPenalty: 1.25 })]],
  seed: [
    ["chat", { seed: 5 }, samples({ seed: 5 })],
    ["text", { seed: -5 }, samples({ seed: seedOf(-5) })],
    ["text", { seed: 1.5 }, bad("seed")],
    ["text", { seed: 2 ** 63 }, bad("seed")],
  ],
  random_seed: [
    ["fim", { seed: null, random_seed: 6 }, samples({ seed: 6 })],
    ["chat", { seed: 5, random_seed: 6 }, samples({ seed: 5 })],
  ],
  logit_bias: [
    [
      "chat",
      { logit_bias: { 65: -100 } },
      samples({ logitBias: packBias({ tokens: Int32Array.of(65), values: Float32Array.of(-100) }) }),
    ],
    ["text", { logit_bias: { 256: 1 } }, bad("logit_bias")],
  ],
  max_tokens: [
    ["chat", { max_tokens: 3 }, { job: { maxTokens: 3 } }],
    ["chat", {}, { job: { maxTokens: 61 } }],
    ["text", {}, { job: { maxTokens: 16 } }],
    ["chat", { max_tokens: -1 }, bad("max_tokens")],
    ["text", { max_tokens: -1 }, bad("max_tokens")],
  ],
  max_completion_tokens: [
    ["chat", { max_completion_tokens: 4, max_tokens: 3 }, { job: { maxTokens: 4 } }],
    ["chat", { max_completion_tokens: -1 }, bad("max_completion_tokens")],
    ["text", { max_completion_tokens: 4 }, unsupported("max_completion_tokens")],
    ["fim", { max_completion_tokens: 4 }, unsupported("max_completion_tokens")],
  ],
  min_tokens: [
    ["text", { min_tokens: 4 }, { job: { minTokens: 4 } }],
    ["text", { min_tokens: 4, max_tokens: 3 }, bad("min_tokens")],
  ],
  ignore_eos: [["text", { ignore_eos: true }, { job: { ignoreEos: true } }]],
  stop: [
    ["chat", { stop: "a" }, { job: { stop: ["a"] } }],
    ["chat", { stop: ["a", "b"] }, { job: { stop: ["a", "b"] } }],
    ["chat", { stop: Array(17).fill("a") }, bad("stop")],
  ],
  stop_token_ids: [["text", { stop_token_ids: [7] }, { job: { stopTokenIds: [7] } }]],
  include_stop_str_in_output: [["text", { include_stop_str_in_output: true }, { job: { includeStop: true } }]],
  n: [
    ["chat", { n: 3 }, { jobs: 3 }],
    ["chat", { n: 17 }, bad("n")],
  ],
  best_of: [
    ["text", { best_of: 4 }, { jobs: 4, answer: { choices: [{ index: 0 }] } }],
    ["chat", { best_of: 4 }, unsupported("best_of")],
    ["chat", { best_of: 1 }, { ignored: true }],
  ],
  logprobs: [
    ["chat", { logprobs: true }, { job: { logprobs: 0 } }],
    ["text", { logprobs: 3 }, { job: { logprobs: 3 } }],
    ["fim", { logprobs: 3 }, unsupported("logprobs")],
  ],
  top_logprobs: [
    ["chat", { logprobs: true, top_logprobs: 4 }, { job: { logprobs: 4 } }],
    ["chat", { top_logprobs: 4 }, bad("top_logprobs")],
    ["text", { top_logprobs: 4 }, unsupported("top_logprobs")],
  ],
  prompt_logprobs: [
    ["chat", { prompt_logprobs: 2 }, { job: { promptLogprobs: 2 } }],
    ["text", { prompt_logprobs: 2, stream: true }, bad("prompt_logprobs")],
  ],
  echo: [
    ["text", { echo: true }, { answer: { choices: [{ text: "ab Hello" }] } }],
    ["text", { echo: true, max_tokens: 0 }, { job: { maxTokens: 0 } }],
    [
      "chat",
      { ...ended("Oh"), continue_final_message: true, echo: true },
      { answer: { choices: [{ message: { content: "Oh Hello" } }] } },
    ],
    ["fim", { echo: true }, unsupported("echo")],
  ],
  "token ids as prompt": [["text", { prompt: [72, 73] }, { job: { promptIds: [72, 73] } }]],
  suffix: [
    ["text", { suffix: "c" }, { job: { promptIds: [1, 13, 99, 11, 97, 98] } }],
    ["fim", { suffix: "c" }, { job: { promptIds: [1, 13, 99, 11, 97, 98] } }],
    ["chat", { suffix: "c" }, unsupported("suffix")],
  ],
  prefix: [["chat", ended("Oh", { prefix: true }), { answer: { choices: [{ message: { content: "Oh Hello" } }] } }]],
  continue_final_message: [
    [
      "chat",
      { ...ended("Oh"), continue_final_message: true },
      { answer: { choices: [{ message: { content: " Hello" } }] } },
    ],
    ["chat", { continue_final_message: true }, bad("continue_final_message")],
    ["text", { continue_final_message: true }, unsupported("continue_final_message")],
  ],
  add_generation_prompt: [["chat", { add_generation_prompt: false }, { template: { addGenerationPrompt: false } }]],
  chat_template_kwargs: [
    ["chat", { chat_template_kwargs: { a: 1 } }, { template: { templateArguments: { a: 1 } } }],
    ["text", { chat_template_kwargs: { a: 1 } }, unsupported("chat_template_kwargs")],
    ["text", { chat_template_kwargs: {} }, { ignored: true }],
  ],
  safe_prompt: [
    ["chat", { safe_prompt: true, truncate_prompt_tokens: 14 }, { prompt: "positivity.\nhi" }],
    ["fim", { safe_prompt: true }, unsupported("safe_prompt")],
    ["fim", { safe_prompt: false }, { ignored: true }],
  ],
  truncate_prompt_tokens: [
    ["chat", { truncate_prompt_tokens: 1 }, { prompt: "i" }],
    ["text", { truncate_prompt_tokens: 1 }, { prompt: "b" }],
    ["fim", { truncate_prompt_tokens: 1 }, { prompt: "b" }],
    ["embed", { truncate_prompt_tokens: 1 }, { prompt: "b" }],
    ["text", { truncate_prompt_tokens: -1 }, bad("truncate_prompt_tokens")],
  ],
  truncation_side: [
    ["text", { truncation_side: "right", truncate_prompt_tokens: 1 }, unsupported("truncation_side")],
    ["embed", { truncation_side: "right", truncate_prompt_tokens: 1 }, unsupported("truncation_side")],
    ["text", { truncation_side: "left" }, { ignored: true }],
  ],
  add_special_tokens: [["chat", { add_special_tokens: true }, unsupported("add_special_tokens")]],
  skip_special_tokens: [["chat", { skip_special_tokens: false }, { job: { skipSpecialTokens: false } }]],
  return_token_ids: [["text", { return_token_ids: true }, { answer: { choices: [{ token_ids: [72, 73] }] } }]],
  return_tokens_as_token_ids: [["chat", { return_tokens_as_token_ids: true }, { jobs: 1 }]],
  stream: [["chat", { stream: true }, { stream: USAGE }]],
  stream_options: [
    ["chat", { stream: true, stream_options: { include_usage: true } }, { stream: USAGE_CHUNK }],
    ["chat", { stream: true, stream_options: { include_usage: false } }, { stream: /^(?!.*"usage")/s }],
    ["text", { stream: true, stream_options: { include_usage: false } }, { stream: /^(?!.*"usage")/s }],
    ["text", { stream: true, stream_options: { include_usage: null } }, { stream: USAGE }],
    ["text", { stream: true, stream_options: { continuous_usage_stats: true } }, { stream: /("usage".*){2}/s }],
    [
      "text",
      { stream: true, stream_options: { continuous_usage_stats: true, include_usage: false } },
      bad("stream_options.continuous_usage_stats"),
    ],
    ["text", { stream: true, stream_options: { resumable: true } }, { stream: /^id: 1:0:0\n/ }],
    ["chat", { stream_options: { include_usage: true } }, bad("stream_options")],
    ["text", { stream: false, stream_options: {} }, bad("stream_options")],
    ["fim", { stream_options: { resumable: true } }, bad("stream_options")],
    ["chat", { stream_options: null }, { jobs: 1 }],
  ],
  response_format: [
    ["chat", { response_format: { type: "json_object" } }, structured],
    ["chat", { response_format: { type: "text" } }, { ignored: true }],
    ["fim", { response_format: { type: "json_object" } }, unsupported("response_format")],
    ["fim", { response_format: { type: "text" } }, { ignored: true }],
  ],
  structured_outputs: [
    ["text", { structured_outputs: { regex: "a+" } }, structured],
    ["fim", { structured_outputs: { regex: "a+" } }, unsupported("structured_outputs")],
  ],
  guided_json: [
    ["text", { guided_json: schema }, structured],
    ["fim", { guided_json: schema }, unsupported("guided_json")],
  ],
  guided_regex: [
    ["text", { guided_regex: "a+" }, structured],
    ["fim", { guided_regex: "a+" }, unsupported("guided_regex")],
  ],
  guided_choice: [
    ["text", { guided_choice: ["a"] }, structured],
    ["fim", { guided_choice: ["a"] }, unsupported("guided_choice")],
  ],
  guided_grammar: [
    ["text", { guided_grammar: 'root ::= "a"' }, structured],
    ["fim", { guided_grammar: 'root ::= "a"' }, unsupported("guided_grammar")],
  ],
  json_schema: [
    ["chat", { json_schema: schema }, structured],
    ["fim", { json_schema: schema }, unsupported("json_schema")],
  ],
  grammar: [
    ["chat", { grammar: 'root ::= "a"' }, structured],
    ["fim", { grammar: 'root ::= "a"' }, unsupported("grammar")],
  ],
  tools: [
    ["chat", { tools }, { template: { tools: [weather] } }],
    ["text", { tools }, unsupported("tools")],
    ["text", { tools: [] }, { ignored: true }],
  ],
  tool_choice: [
    ["chat", { tools, tool_choice: "required" }, structured],
    ["chat", { tool_choice: "required" }, bad("tool_choice")],
    ["text", { tool_choice: "required" }, unsupported("tool_choice")],
  ],
  parallel_tool_calls: [["chat", { tools, tool_choice: "required", parallel_tool_calls: false }, structured]],
  functions: [
    ["chat", { functions: [weather] }, { template: { tools: [weather] } }],
    ["chat", { functions: [] }, { ignored: true }],
    ["chat", { functions: [{}] }, bad("functions.0.name")],
    ["chat", { functions: [weather, weather] }, bad("functions.1.name")],
    ["chat", { functions: [{ ...weather, parameters: { type: "text" } }] }, bad("functions.0.parameters")],
    ["chat", { functions: [weather], tools }, bad("tools")],
    ["text", { functions: [weather] }, unsupported("functions")],
  ],
  function_call: [
    ["chat", { functions: [weather], function_call: { name: "weather" } }, structured],
    ["chat", { functions: [weather], function_call: { name: "other" } }, bad("function_call")],
    ["chat", { function_call: { name: "weather" } }, bad("function_call")],
    ["chat", { functions: [weather], function_call: "none" }, { template: {} }],
    ["text", { function_call: { name: "weather" } }, unsupported("function_call")],
  ],
  cache_prompt: [["chat", { cache_prompt: false }, { job: { cachePrompt: false } }]],
  cache_salt: [["chat", { cache_salt: "s" }, { job: { cacheSalt: "s" } }]],
  user: [["chat", { user: "me" }, { ignored: true }]],
  metadata: [["embed", { metadata: { a: "b" } }, { ignored: true }]],
  priority: [["text", { priority: 3 }, { ignored: true }]],
  service_tier: [["chat", { service_tier: "flex" }, { ignored: true }]],
  store: [["chat", { store: true }, { ignored: true }]],
  reasoning_effort: [["chat", { reasoning_effort: "low" }, { ignored: true }]],
  verbosity: [["chat", { verbosity: "low" }, { ignored: true }]],
  prediction: [["chat", { prediction: { type: "content", content: "a" } }, { ignored: true }]],
  audio: [["chat", { audio: { voice: "a" } }, unsupported("audio")]],
  modalities: [
    ["chat", { modalities: ["text", "audio"] }, unsupported("modalities")],
    ["chat", { modalities: ["text"] }, { ignored: true }],
  ],
  web_search_options: [["chat", { web_search_options: {} }, unsupported("web_search_options")]],
  prompt_mode: [["chat", { prompt_mode: "reasoning" }, unsupported("prompt_mode")]],
  guardrails: [["chat", { guardrails: [{}] }, unsupported("guardrails")]],
  allowed_token_ids: [["text", { allowed_token_ids: [5] }, unsupported("allowed_token_ids")]],
  bad_words: [["text", { bad_words: ["a"] }, unsupported("bad_words")]],
  logits_processors: [["text", { logits_processors: ["a"] }, unsupported("logits_processors")]],
  use_beam_search: [["text", { use_beam_search: true }, unsupported("use_beam_search")]],
  length_penalty: [
    ["text", { length_penalty: 2 }, unsupported("length_penalty")],
    ["text", { length_penalty: 1 }, { ignored: true }],
  ],
  chat_template: [["chat", { chat_template: "{{ messages }}" }, unsupported("chat_template")]],
  n_predict: [
    ["text", { n_predict: 5 }, unsupported("n_predict")],
    ["text", { n_predict: -1 }, { ignored: true }],
  ],
  n_probs: [["text", { n_probs: 5 }, unsupported("n_probs")]],
  n_keep: [["text", { n_keep: 5 }, unsupported("n_keep")]],
  repeat_penalty: [
    ["text", { repeat_penalty: 1.1 }, unsupported("repeat_penalty")],
    ["text", { repeat_penalty: 1 }, { ignored: true }],
  ],
  mirostat: [["text", { mirostat: 2 }, unsupported("mirostat")]],
  typical_p: [["text", { typical_p: 0.9 }, unsupported("typical_p")]],
  dry_multiplier: [["text", { dry_multiplier: 0.8 }, unsupported("dry_multiplier")]],
  xtc_probability: [["text", { xtc_probability: 0.5 }, unsupported("xtc_probability")]],
  dynatemp_range: [["text", { dynatemp_range: 0.5 }, unsupported("dynatemp_range")]],
  top_n_sigma: [["text", { top_n_sigma: 1 }, unsupported("top_n_sigma")]],
  samplers: [["text", { samplers: ["top_k"] }, unsupported("samplers")]],
  input: [
    ["embed", { input: [72] }, { job: { promptIds: [72], pooling: "mean" } }],
    ["embed", { input: ["a", "b"] }, { jobs: 2 }],
    ["embed", { input: "" }, bad("input")],
  ],
  encoding_format: [["embed", { encoding_format: "int8" }, bad("encoding_format")]],
  dimensions: [
    ["embed", { dimensions: 4 }, { jobs: 1 }],
    ["embed", { dimensions: 3 }, unsupported("dimensions")],
  ],
  output_dimension: [["embed", { output_dimension: 3 }, unsupported("output_dimension")]],
  output_dtype: [["embed", { output_dtype: "int8" }, bad("output_dtype")]],
};

const cases = Object.values(FIELDS).flat();

const script: Script = (job) =>
  job.pooling === null
    ? hello(job)
    : [
        {
          tokens: [],
          text: "",
          embedding: Buffer.alloc(16).toString("base64"),
          finish: { reason: "length" },
          usage: { promptTokens: job.promptIds.length, completionTokens: 0, cachedTokens: 0 },
        },
      ];

/** Asks a gateway of its own. */
async function ask(where: keyof typeof PATHS, fields: object) {
  const fake = fakeGateway(script);
  onTestFinished(() => fake.app.close());
  const encodeChat = vi.spyOn(fake.model, "encodeChat");
  const [path, body] = PATHS[where];
  const response = await fake.post(path, { seed: 0, ...body, ...fields });
  return { response, jobs: fake.jobs, options: encodeChat.mock.calls[0]?.[1] };
}

describe("the fields of a request", () => {
  it.each(cases)("%s %j: %j", async (where, fields, expected) => {
    const { response, jobs, options } = await ask(where, fields);
    const { job, jobs: count, prompt, template, answer, stream, refused, ignored } = expected;
    if (refused !== undefined) {
      const [param, code] = refused;
      expect([response.statusCode, response.json().error]).toEqual([400, expect.objectContaining({ param, code })]);
      expect(jobs).toEqual([]);
      return;
    }
    expect(response.statusCode, response.body).toBe(200);
    if (job !== undefined) expect(jobs[0]).toMatchObject(job);
    if (count !== undefined) expect(jobs).toHaveLength(count);
    if (prompt !== undefined) expect(Buffer.from(jobs[0]?.promptIds ?? []).toString()).toBe(prompt);
    if (template !== undefined) expect(options).toEqual(template);
    if (answer !== undefined) expect(response.json()).toMatchObject(answer);
    if (stream !== undefined) expect(response.body).toMatch(stream);
    if (ignored) expect(jobs.map(withoutIds)).toEqual((await ask(where, {})).jobs.map(withoutIds));
  });

  const withoutIds = ({ requestId: _, arrivedAtMs: __, deadlineAtMs: ___, ...job }: Record<string, unknown>) => job;

  it("that docs/api.md names are all among these", () => {
    const page = readFileSync(new URL("../../../../docs/api.md", import.meta.url), "utf8");
    // Responses and Messages have tables of their own.
    const sections = page.split("\n## ").filter((section) => /^(Compatibility|Embeddings)\n/.test(section));
    const tables = sections.flatMap((section) => section.split("\n\n").filter((part) => part.startsWith("| Field")));
    const names = tables.flatMap((table) =>
      table
        .split("\n")
        .slice(2)
        .flatMap((row) => [...(row.split(" | ")[0] ?? "").matchAll(/`(\w+)`|(token ids as prompt)/g)]),
    );
    expect(names.length).toBeGreaterThan(70);
    const known = Object.keys(FIELDS);
    expect(names.map(([, name, other]) => name ?? other).filter((name) => !known.includes(name ?? ""))).toEqual([]);
  });

  it.each([
    ["chat", "max_tokens is -1; it must be 1 or more; leave it out for an answer that may fill the context."],
    ["text", "max_tokens is -1; it must be 1 or more; send as many as the context holds beside the prompt."],
  ] as const)("say what to do instead of max_tokens: -1: %s", async (where, message) => {
    expect((await ask(where, { max_tokens: -1 })).response.json().message).toBe(message);
  });
});
