import type { Attack } from "./attack.js";
import { range } from "./range.js";

const COMPLETIONS = "/v1/completions";
const CHAT = "/v1/chat/completions";
const MB = 1e6;

const completion = (fields: object) => ({ path: COMPLETIONS, body: { prompt: "The", max_tokens: 4, ...fields } });

const chat = (fields: object) => ({
  path: CHAT,
  body: { messages: [{ role: "user", content: "Answer." }], max_tokens: 4, ...fields },
});

/** The text of a body with one field more, for values that are easier written than built. */
const raw = (field: string) => ({ path: COMPLETIONS, body: `{"prompt":"The","max_tokens":4,${field}}` });

/** Fields with many, long or deep values. */
export const FIELD_ATTACKS: readonly Attack[] = [
  {
    name: "stop-long",
    description: "16 stop texts of 1 MB, answered with 64 tokens",
    send: async (sender) => [
      await sender.send(
        completion({ stop: range(16, (i) => `${i}`.repeat(MB / 2)), max_tokens: 64, ignore_eos: true }),
      ),
    ],
  },
  {
    name: "stop-list-long",
    description: "a list of a million stop texts",
    send: async (sender) => [await sender.send(completion({ stop: range(MB, (i) => `s${i}`) }))],
  },
  {
    name: "stop-control-characters-n16",
    description: "60 requests for 16 samples with 16 stop texts of 4,095 control characters",
    send: (sender) => {
      const stop = range(16, (i) => `${"\u0001".repeat(4095)}${String.fromCharCode(97 + i)}`);
      return sender.repeat(60, (i) =>
        completion({ prompt: `The ${i}`, n: 16, stop, max_tokens: 3000, ignore_eos: true }),
      );
    },
  },
  {
    name: "logit-bias-all-n16",
    description: "two requests for 16 samples, and two for 8, with a bias for each token of the vocabulary",
    send: (sender, { vocabSize }) => {
      const logit_bias = Object.fromEntries(range(vocabSize, (id) => [id, 0.5]));
      return sender.repeat(4, (i) => completion({ logit_bias, n: i < 2 ? 16 : 8, max_tokens: 8, ignore_eos: true }));
    },
  },
  {
    name: "logit-bias-all",
    description: "16 requests with a bias for each token of the vocabulary",
    isQuick: true,
    send: (sender, { vocabSize }) => {
      const logit_bias = Object.fromEntries(range(vocabSize, (id) => [id, (id % 7) - 3]));
      return sender.repeat(16, (seed) => completion({ logit_bias, seed, max_tokens: 32, ignore_eos: true }));
    },
  },
  {
    name: "logit-bias-million",
    description: "a bias for each of a million tokens",
    send: async (sender) => [await sender.send(raw(`"logit_bias":{${range(MB, (id) => `"${id}":1`).join(",")}}`))],
  },
  {
    name: "json-deep",
    description: "field of 10 million nested lists",
    isQuick: true,
    send: async (sender) => [await sender.send(raw(`"x":${"[".repeat(10 * MB)}${"]".repeat(10 * MB)}`))],
  },
  {
    name: "json-wide",
    description: "field of ten million empty lists, 30 MB",
    isQuick: true,
    send: async (sender) => [await sender.send(raw(`"x":[${"[],".repeat(10 * MB)}[]]`))],
  },
  {
    name: "json-wide-7mb",
    description: "field of two million empty lists, 7 MB, six at once",
    send: (sender) => sender.repeat(6, () => raw(`"x":[${"[],".repeat(2 * MB)}[]]`)),
  },
  {
    name: "json-keys",
    description: "field with an object of a million keys",
    send: async (sender) => [await sender.send(raw(`"x":{${range(MB, (i) => `"key${i}":{}`).join(",")}}`))],
  },
  {
    name: "json-broken",
    description: "30 MB that break off, six at once",
    send: (sender) => sender.repeat(6, () => ({ path: COMPLETIONS, body: `{"prompt":"${"a".repeat(30 * MB)}` })),
  },
  {
    name: "model-name-30mb",
    description: "model name of 30 MB",
    send: async (sender) => [await sender.send(completion({ model: "m".repeat(30 * MB) }))],
  },
  {
    name: "template-arguments-wide",
    description: "chat with a million template arguments",
    send: async (sender) => [
      await sender.send({
        path: "/v1/chat/completions",
        body: {
          messages: [{ role: "user", content: "Answer." }],
          max_tokens: 4,
          chat_template_kwargs: Object.fromEntries(range(MB, (i) => [`argument_${i}`, i])),
        },
      }),
    ],
  },
  {
    name: "items-bad",
    description: "a message of 1.2 million parts, its calls and the functions allowed, none of which is one",
    isQuick: true,
    send: async (sender) => {
      const zeros = range(1.2 * MB, () => 0);
      const allowed = { type: "allowed_tools", allowed_tools: { mode: "auto", tools: zeros } };
      const content = { messages: [{ role: "user", content: zeros }] };
      const calls = { messages: [{ role: "assistant", tool_calls: zeros }] };
      return [
        await sender.send(chat(content)),
        await sender.send(chat(calls)),
        await sender.send(chat({ tool_choice: allowed })),
      ];
    },
  },
  {
    name: "messages-bad",
    description: "a chat of 4,096 messages, each with five fields that are wrong",
    send: async (sender) => {
      const messages = range(4096, () => ({ role: "x", content: 1, tool_calls: 1, name: 1, prefix: 1 }));
      return [await sender.send(chat({ messages }))];
    },
  },
  ...[190_000, 19_000].map(
    (count): Attack => ({
      name: `keys-${count}`,
      description: `${count} keys of template arguments, and as many of a function's parameters, of a call and of metadata`,
      isQuick: count === 190_000,
      send: async (sender) => {
        const keys = Object.fromEntries(range(count, (i) => [`k${i}`, i] as const));
        const call = { role: "assistant", tool_calls: [{ function: { name: "f", arguments: keys } }] };
        const jobs = { path: "/v1/batch/jobs", body: { endpoint: COMPLETIONS, metadata: keys } };
        return [
          await sender.send(chat({ chat_template_kwargs: keys })),
          await sender.send(chat({ tools: [{ function: { name: "f", parameters: keys } }] })),
          await sender.send(chat({ messages: [call] })),
          await sender.send(jobs),
        ];
      },
    }),
  ),
  {
    name: "schema-text-8mb",
    description: "a JSON schema as a text of 8 MB: half a million empty objects, or two million nested lists",
    isQuick: true,
    send: async (sender) => {
      const keys = range(500_000, (i) => `"k${i}":{}`).join(",");
      const levels = 2 * MB;
      return [
        await sender.send(completion({ guided_json: `{${keys}}` })),
        await sender.send(completion({ guided_json: `{"const":${"[".repeat(levels)}${"]".repeat(levels)}}` })),
      ];
    },
  },
  {
    name: "metadata-1mb",
    description: "a hundred batches with metadata of 1 MB",
    send: (sender) =>
      sender.repeat(100, (i) => ({
        path: "/v1/batches",
        body: {
          input_file_id: `file-${"0".repeat(24)}`,
          endpoint: COMPLETIONS,
          completion_window: "24h",
          metadata: { [`k${i}`]: "v".repeat(MB) },
        },
      })),
  },
];
