import { describe, expect, it } from "vitest";
import { fakeGateway, type Script } from "../testing/fake-gateway.js";
import { chatCompletionSchema, completionSchema } from "./openapi/generation-schemas.js";

const CHAT = "/v1/chat/completions";
const COMPLETIONS = "/v1/completions";
const messages = [{ role: "user", content: "hi" }];

/** Each sample says its seed, with that as its log-probability. */
const bySeed: Script = ({ promptIds, sampling: { seed } }) => [
  {
    tokens: [65, 66],
    text: ` s${seed}`,
    logprobs: [65, 66].map((token) => ({ token, logprob: -seed, top: [] })),
    finish: { reason: "length" },
    usage: { promptTokens: promptIds.length, completionTokens: 2, cachedTokens: 0 },
  },
];

const textOf = (ids: readonly number[] | undefined) => Buffer.from(ids ?? []).toString();

describe("an answer that goes on from a text", () => {
  it("repeats Mistral's prefix, and keeps the space behind it", async () => {
    const { post } = fakeGateway();
    const open = { role: "assistant", content: "Oh", prefix: true };
    expect((await post(CHAT, { messages: [...messages, open] })).json().choices[0].message.content).toBe("Oh Hello");
    const spaced = { ...open, content: "Oh " };
    const { body } = await post(CHAT, { messages: [...messages, spaced], stream: true });
    const deltas = [...body.matchAll(/"content":"([^"]*)"/g)].map(([, text]) => text);
    expect(deltas.join("")).toBe("Oh Hello");
  });

  it.each([
    ["  ", "   Hello"],
    ["\n\n", "\n\n Hello"],
    ["", "Hello"],
  ])("keeps the prefix %o", async (content, whole) => {
    const { post } = fakeGateway();
    const open = { role: "assistant", content, prefix: true };
    expect((await post(CHAT, { messages: [...messages, open] })).json().choices[0].message.content).toBe(whole);
  });

  it.each([{}, { continue_final_message: true }])(
    "repeats a final message with echo only, asked by %o",
    async (how) => {
      const { post } = fakeGateway();
      const body = { messages: [...messages, { role: "assistant", content: "Oh" }], ...how };
      expect((await post(CHAT, body)).json().choices[0].message.content).toBe(" Hello");
      expect((await post(CHAT, { ...body, echo: true })).json().choices[0].message.content).toBe("Oh Hello");
    },
  );
});

describe("prompts", () => {
  it("begin with Mistral's words for safe_prompt", async () => {
    const { post, jobs } = fakeGateway();
    await post(CHAT, { messages, safe_prompt: true, truncate_prompt_tokens: 14 });
    expect(textOf(jobs[0]?.promptIds)).toBe("positivity.\nhi");
  });

  it("keep their end when they are cut", async () => {
    const { post, jobs } = fakeGateway();
    const response = await post(COMPLETIONS, { prompt: "abcdef", truncate_prompt_tokens: 3, echo: true });
    expect(textOf(jobs[0]?.promptIds)).toBe("def");
    expect(response.json().choices[0].text).toBe("def Hello");
  });

  it("surround a gap, for completions and for Mistral's endpoint", async () => {
    const { post, jobs } = fakeGateway();
    const answer = await post("/v1/fim/completions", { prompt: "a", suffix: "b", random_seed: 1 });
    expect(answer.json()).toMatchObject({ object: "chat.completion", choices: [{ message: { content: " Hello" } }] });
    await post(COMPLETIONS, { prompt: "a", suffix: "b" });
    expect(jobs.map(({ promptIds }) => promptIds)).toEqual([
      [1, 13, 98, 11, 97],
      [1, 13, 98, 11, 97],
    ]);
  });

  it("are scored token by token", async () => {
    const scored: Script = () => [
      {
        tokens: [72],
        text: "H",
        promptLogprobs: [
          {
            token: 98,
            logprob: -2,
            top: [
              [97, -1],
              [98, -2],
            ],
          },
        ],
        finish: { reason: "length" },
        usage: { promptTokens: 2, completionTokens: 1, cachedTokens: 0 },
      },
    ];
    const { post, jobs } = fakeGateway(scored);
    const expected = [
      null,
      {
        97: { logprob: -1, rank: 1, decoded_token: "a" },
        98: { logprob: -2, rank: 2, decoded_token: "b" },
      },
    ];
    const completion = await post(COMPLETIONS, { prompt: [97, 98], prompt_logprobs: 2 });
    expect(completion.json().choices[0].prompt_logprobs).toEqual(expected);
    expect((await post(CHAT, { messages, prompt_logprobs: 2 })).json().prompt_logprobs).toEqual(expected);
    expect(jobs.map(({ promptLogprobs }) => promptLogprobs)).toEqual([2, 2]);
  });
});

describe("best_of", () => {
  it("keeps the n likeliest samples of each prompt, best first, and counts all", async () => {
    const { post, jobs } = fakeGateway(bySeed);
    const response = await post(COMPLETIONS, { prompt: ["a", "b"], seed: 3, n: 2, best_of: 4 });
    expect(jobs).toHaveLength(8);
    const { choices, usage } = completionSchema.parse(response.json());
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, " s3"],
      [1, " s4"],
      [2, " s3"],
      [3, " s4"],
    ]);
    expect(choices[0]?.logprobs).toBeNull();
    expect(usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 16 });
  });
});

describe("tokens", () => {
  it("are called by their ids when asked", async () => {
    const { post } = fakeGateway(bySeed);
    const body = { messages, logprobs: true, return_tokens_as_token_ids: true, seed: 1 };
    const { choices } = chatCompletionSchema.parse((await post(CHAT, body)).json());
    expect(choices[0]?.logprobs?.content.map(({ token }) => token)).toEqual(["token_id:65", "token_id:66"]);
  });

  it("are counted on every chunk when asked", async () => {
    const { post } = fakeGateway();
    const stream_options = { include_usage: true, continuous_usage_stats: true };
    const { body } = await post(COMPLETIONS, { prompt: "a", stream: true, stream_options });
    expect([...body.matchAll(/"completion_tokens":(\d+)/g)].map(([, count]) => count)).toEqual(["1", "2", "2"]);
  });
});

it.each<[string, string, object]>([
  ["best_of", COMPLETIONS, { prompt: "a", n: 2, best_of: 1 }],
  ["best_of", COMPLETIONS, { prompt: "a", best_of: 2, stream: true }],
  ["best_of", COMPLETIONS, { prompt: "a", best_of: 21 }],
  ["min_tokens", COMPLETIONS, { prompt: "a", min_tokens: 5, max_tokens: 4 }],
  ["prompt_logprobs", COMPLETIONS, { prompt: "a", prompt_logprobs: 1, stream: true }],
  ["prompt_logprobs", CHAT, { messages, prompt_logprobs: 21 }],
  ["suffix", COMPLETIONS, { prompt: [1], suffix: "b" }],
  ["echo", COMPLETIONS, { prompt: "a", suffix: "b", echo: true }],
  ["truncate_prompt_tokens", CHAT, { messages, truncate_prompt_tokens: 0 }],
  ["continue_final_message", CHAT, { messages, continue_final_message: true }],
  ["stream_options.resumable", CHAT, { messages, stream_options: { resumable: 1 } }],
  ["prompt", "/v1/fim/completions", { suffix: "b" }],
  ["prompt", "/tokenize", { prompt: "a", content: "b" }],
  ["tokens", "/detokenize", { tokens: [256] }],
])("a refusal names %s", async (param, url, payload) => {
  const response = await fakeGateway().post(url, payload);
  expect(response.statusCode).toBe(400);
  expect(response.json().error).toMatchObject({ type: "invalid_request_error", param });
});

it.each([CHAT, COMPLETIONS, "/v1/fim/completions"])("%s takes null for every optional field", async (url) => {
  const { app, post } = fakeGateway();
  const document = (await app.inject("/openapi.json")).json();
  const { properties, required } = document.paths[url].post.requestBody.content["application/json"].schema;
  const optional = Object.keys(properties).filter((name) => !required.includes(name));
  expect(optional.length).toBeGreaterThan(25);
  const nulls = Object.fromEntries(optional.map((name) => [name, null]));
  const response = await post(url, { ...nulls, messages, prompt: "a", unheard_of: 1 });
  expect([response.statusCode, response.json().error]).toEqual([200, undefined]);
});

it("refuses more samples at once than a queue should take", async () => {
  const { post, jobs } = fakeGateway();
  const refused = await post(COMPLETIONS, { prompt: Array.from({ length: 205 }, () => "a"), best_of: 10 });
  expect(refused.json().error).toMatchObject({ code: "invalid_value", param: "prompt" });
  expect(jobs).toEqual([]);
});

describe("values too small for 32 bits", () => {
  it("keep the best token alone as top_p, and are refused as repetition_penalty", async () => {
    const { post, jobs } = fakeGateway();
    await post(COMPLETIONS, { prompt: "a", top_p: 1e-46 });
    expect(Math.fround(jobs[0]?.sampling.topP ?? 0)).toBeGreaterThan(0);
    const refused = await post(COMPLETIONS, { prompt: "a", repetition_penalty: 1e-46 });
    expect(refused.json().error).toMatchObject({ code: "invalid_value", param: "repetition_penalty" });
  });
});
