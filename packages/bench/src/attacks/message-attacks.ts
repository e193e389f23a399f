import type { Attack, AttackedModel } from "./attack.js";
import { range } from "./range.js";
import type { Outgoing } from "./sender.js";

const MESSAGES = "/v1/messages";
const COUNT = "/v1/messages/count_tokens";
const MB = 1e6;

const user = (content: unknown) => ({ role: "user", content });
const assistant = (content: unknown) => ({ role: "assistant", content });
const block = { type: "text", text: "hello" };
const use = (input: object, id = "a") => ({ type: "tool_use", id, name: "f", input });
const result = (content: unknown, id = "a") => ({ type: "tool_result", tool_use_id: id, content });

const ask = ({ name: model }: AttackedModel, fields: object, path = MESSAGES): Outgoing => ({
  path,
  body: { model, messages: [user("Answer.")], ...(path === MESSAGES && { max_tokens: 2 }), ...fields },
});

/** Anthropic's Messages with many, long or deep blocks. */
export const MESSAGE_ATTACKS: readonly Attack[] = [
  {
    name: "message-blocks-60000",
    description: "a message of 60,000 blocks, a system of as many, and a tool's result of as many",
    send: async (sender, model) => {
      const blocks = range(60_000, () => block);
      const messages = [user("Call."), assistant([use({})]), user([result(blocks)])];
      return [
        await sender.send(ask(model, { messages: [user(blocks)] })),
        await sender.send(ask(model, { system: blocks })),
        await sender.send(ask(model, { messages })),
      ];
    },
  },
  {
    name: "message-blocks-bad",
    description: "60,000 messages, and 1.2 million blocks of a message, a system and a result, none of which is one",
    send: async (sender, model) => {
      const zeros = range(1.2 * MB, () => 0);
      return [
        await sender.send(ask(model, { messages: range(60_000, () => user("hello")) }, COUNT)),
        await sender.send(ask(model, { messages: [user(zeros)] })),
        await sender.send(ask(model, { system: zeros })),
        await sender.send(ask(model, { messages: [user([result(zeros)])] })),
      ];
    },
  },
  {
    name: "message-calls",
    description: "a call with 190,000 keys, with 19,000 and with 900 levels, and 30,000 calls in a message",
    isQuick: true,
    send: async (sender, model) => {
      const keys = (count: number) => Object.fromEntries(range(count, (i) => [`k${i}`, i] as const));
      const deep = range(900, () => 0).reduce<object>((inner) => ({ x: inner }), {});
      const contents = [[use(keys(190_000))], [use(keys(19_000))], [use(deep)], range(30_000, (i) => use({}, `${i}`))];
      const messages = (content: unknown) => [user("Call."), assistant(content), user([result("done")])];
      return sender.repeat(4, (i) => ask(model, { messages: messages(contents[i]) }), { atOnce: 1 });
    },
  },
  {
    name: "message-stops",
    description: "messages with a million stop sequences, and with 16 of 0.4 MB",
    send: async (sender, model) => [
      await sender.send(ask(model, { stop_sequences: range(MB, () => "s") })),
      await sender.send(ask(model, { stop_sequences: range(16, (i) => `${i % 10}`.repeat(0.4 * MB)) })),
    ],
  },
  {
    name: "messages-counted-7mb",
    description: "the tokens of six messages of 7 MB at once",
    send: (sender, model) =>
      sender.repeat(6, (i) => ask(model, { messages: [user(`${i} word`.repeat((7 * MB) / 6))] }, COUNT)),
  },
];
