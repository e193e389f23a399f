import type { Attack } from "./attack.js";

const COMPLETIONS = "/v1/completions";
const CHAT = "/v1/chat/completions";
/** The gateway's bound on the log-probabilities of prompts in a request, alternatives included. */
const MOST_SCORES = 65_536;
const MB = 1e6;

const prompted = (prompt: unknown, fields: object = {}) => ({
  path: COMPLETIONS,
  body: { prompt, max_tokens: 4, ...fields },
});

/** Ids that no cache serves: they differ from request to request. */
const idsOf = (length: number, vocabSize: number, from = 0): number[] =>
  Array.from({ length }, (_, i) => 260 + ((from + i * 7) % Math.max(1, vocabSize - 260)));

/** Prompts that are long, many, or slow to tokenize. */
export const TEXT_ATTACKS: readonly Attack[] = [
  {
    name: "newlines-100kb",
    description: "prompt of 100 KB of newlines",
    isQuick: true,
    send: async (sender) => [await sender.send(prompted("\n".repeat(100_000)))],
  },
  {
    name: "newlines-400kb",
    description: "prompt of 400 KB of newlines",
    send: async (sender) => [await sender.send(prompted("\n".repeat(400_000)))],
  },
  {
    name: "emoji-800kb",
    description: "prompt of 0.8 MB of emoji",
    send: async (sender) => [await sender.send(prompted("🦊".repeat(200_000)))],
  },
  {
    name: "tokenize-1.6mb",
    description: "POST /tokenize of 1.6 MB: newlines, emoji, CJK, letters without blanks, one after another",
    send: (sender) =>
      sender.repeat(
        4,
        (i) => ({
          path: "/tokenize",
          body: {
            content: (["\n", "🦊", "漢", "q"][i] ?? "").repeat([1_600_000, 400_000, 533_000, 1_600_000][i] ?? 1),
          },
        }),
        { atOnce: 1 },
      ),
  },
  {
    name: "six-30mb",
    description: "six chats of 30 MB at once",
    isQuick: true,
    send: (sender) =>
      sender.repeat(6, (i) => ({
        path: CHAT,
        body: { messages: [{ role: "user", content: `${i} word`.repeat((30 * MB) / 6) }], max_tokens: 4 },
      })),
  },
  {
    name: "six-7mb",
    description: "six chats of 7 MB at once",
    send: (sender) =>
      sender.repeat(6, (i) => ({
        path: CHAT,
        body: { messages: [{ role: "user", content: `${i} word`.repeat((7 * MB) / 6) }], max_tokens: 4 },
      })),
  },
  {
    name: "truncated-30mb",
    description: "prompt of 30 MB of which the last 16 tokens are asked for",
    send: async (sender) => [await sender.send(prompted("ab ".repeat(10 * MB), { truncate_prompt_tokens: 16 }))],
  },
  {
    name: "prompts-2048",
    description: "2,048 prompts of 15 KB in one request",
    send: async (sender) => [await sender.send(prompted(Array.from({ length: 2048 }, (_, i) => `${i} `.repeat(3000))))],
  },
  {
    name: "messages-100000",
    description: "chat of 100,000 short messages",
    isQuick: true,
    send: async (sender) => [
      await sender.post(CHAT, {
        messages: Array.from({ length: 100_000 }, (_, i) => ({ role: i % 2 ? "assistant" : "user", content: "hello" })),
        max_tokens: 4,
      }),
    ],
  },
  {
    name: "results-named",
    description: "chats with a function's result: under a name of 2 million newlines, and 4,000 of them",
    send: async (sender) => {
      const user = { role: "user", content: "Answer." };
      const call = { role: "assistant", tool_calls: [{ id: "a", function: { name: "f", arguments: "{}" } }] };
      const result = (fields: object) => ({ role: "tool", content: "", tool_call_id: "a", ...fields });
      const many = Array.from({ length: 4000 }, () => result({}));
      return [
        await sender.post(CHAT, { messages: [user, call, result({ name: "\n".repeat(2 * MB) })], max_tokens: 4 }),
        await sender.post(CHAT, { messages: [user, call, ...many], max_tokens: 4 }),
      ];
    },
  },
  {
    name: "tools-25mb",
    description: "128 tools with descriptions of 200 KB",
    send: async (sender) => [
      await sender.post(CHAT, {
        messages: [{ role: "user", content: "Answer." }],
        max_tokens: 4,
        tools: Array.from({ length: 128 }, (_, i) => ({
          type: "function",
          function: { name: `t${i}`, description: "words ".repeat(34_000), parameters: { type: "object" } },
        })),
      }),
    ],
  },
  {
    name: "ids-5m",
    description: "prompt of 5 million token ids",
    send: async (sender, { vocabSize }) => [await sender.send(prompted(idsOf(5 * MB, vocabSize)))],
  },
  {
    name: "ids-1m",
    description: "prompt of a million token ids",
    isQuick: true,
    send: async (sender, { vocabSize }) => [await sender.send(prompted(idsOf(MB, vocabSize)))],
  },
  {
    name: "ids-mixed",
    description: "prompt of a million token ids and a text",
    send: async (sender, { vocabSize }) => [await sender.send(prompted([...idsOf(MB, vocabSize), "x"]))],
  },
  {
    name: "detokenize-5m",
    description: "POST /detokenize of 5 million ids",
    send: async (sender, { vocabSize }) => [await sender.post("/detokenize", { tokens: idsOf(5 * MB, vocabSize) })],
  },
  {
    name: "detokenize-1.2m",
    description: "POST /detokenize of 1.2 million ids, four at once",
    send: (sender, { vocabSize }) => {
      const body = JSON.stringify({ tokens: idsOf(1.2 * MB, vocabSize) });
      return sender.repeat(4, () => ({ path: "/detokenize", body }));
    },
  },
  {
    name: "tokenize-pieces",
    description: "POST /tokenize of 750,000 tokens with the text of each, four at once",
    send: (sender) =>
      sender.repeat(4, () => ({
        path: "/tokenize",
        body: { prompt: "a ".repeat(750_000), with_pieces: true, return_token_strs: true },
      })),
  },
  {
    name: "echo-ids-1m",
    description: "prompts of a million token ids that are to be echoed, four at once",
    send: (sender, { vocabSize }) => {
      const { path, body } = prompted(idsOf(MB, vocabSize), { echo: true });
      const text = JSON.stringify(body);
      return sender.repeat(4, () => ({ path, body: text }));
    },
  },
  {
    name: "gaps-1000",
    description: "1,000 prompts with a suffix of 1,900 characters, and 600 with one of 2,500",
    send: async (sender) => {
      const ask = (count: number, suffix: string) =>
        sender.send(
          prompted(
            Array.from({ length: count }, (_, i) => `${"\n".repeat(100)}${i}`),
            { suffix, max_tokens: 1 },
          ),
        );
      return [await ask(1000, "€語\n".repeat(633)), await ask(600, "€語\n".repeat(833))];
    },
  },
  {
    name: "embeddings-2048",
    description: "2,048 embeddings of 500 tokens in one request",
    send: async (sender, { vocabSize, contextLength }) => [
      await sender.post("/v1/embeddings", {
        input: Array.from({ length: 2048 }, (_, i) => idsOf(Math.min(500, contextLength), vocabSize, i * 31)),
      }),
    ],
  },
  {
    name: "long-prompts-scored",
    description: "eight prompts as long as the context, echoed with 20 log-probabilities per token",
    send: (sender, { vocabSize, contextLength }) =>
      sender.repeat(8, (i) =>
        prompted(idsOf(contextLength - 8, vocabSize, i * 97), { echo: true, logprobs: 20, prompt_logprobs: 20 }),
      ),
  },
  {
    name: "most-scores-parallel",
    description: "24 prompts of 3,900 tokens at once, each with the most log-probabilities that a request may have",
    send: (sender, { vocabSize, contextLength }) => {
      const length = Math.min(3900, contextLength - 8);
      const scored = { prompt_logprobs: Math.min(20, Math.floor(MOST_SCORES / length) - 1) };
      return sender.repeat(24, (i) => prompted(idsOf(length, vocabSize, i * 97), scored));
    },
  },
  {
    name: "scores-end-together",
    description: "64 prompts of 512 tokens at once with 20 log-probabilities per token, which end in the same steps",
    send: (sender, { vocabSize, contextLength }) =>
      sender.repeat(64, (i) =>
        prompted(idsOf(Math.min(512, contextLength - 8), vocabSize, i * 97), { prompt_logprobs: 20 }),
      ),
  },
];
