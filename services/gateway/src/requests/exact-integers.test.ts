import { expect, it } from "vitest";
import { turnsDuring } from "../testing/turns-during.js";
import { exactIntegers } from "./exact-integers.js";

async function read(text: string): Promise<unknown> {
  const parsed: unknown = JSON.parse(text);
  await exactIntegers(text, parsed);
  return parsed;
}

it.each<[string, unknown]>([
  ['{"seed":9223372036854775807}', { seed: 9223372036854775807n }],
  ['{"seed":-9223372036854775808}', { seed: -9223372036854775808n }],
  ['{"prompt":"a", "random_seed" :\n 9007199254740993 }', { prompt: "a", random_seed: 9007199254740993n }],
  ['{"seed":9007199254740991}', { seed: 9007199254740991 }],
  ['{"seed":-1}', { seed: -1 }],
  ['{"seed":1e18}', { seed: 1e18 }],
  ['{"seed":"9007199254740993"}', { seed: "9007199254740993" }],
  ['{"seed":null}', { seed: null }],
  [
    '{"prompt":"\\"seed\\":9007199254740993","seed":9007199254740995}',
    { prompt: '"seed":9007199254740993', seed: 9007199254740995n },
  ],
  ['{"other_seed":9007199254740993}', { other_seed: 9007199254740992 }],
  ['{"custom_id":"a","body":{"seed":9007199254740993}}', { custom_id: "a", body: { seed: 9007199254740993n } }],
  [
    '{"requests":[{"body":{"seed":9007199254740993}},5,{"body":{"seed":9007199254740991}},{"body":{"seed":9007199254740995}}]}',
    {
      requests: [
        { body: { seed: 9007199254740993n } },
        5,
        { body: { seed: 9007199254740991 } },
        { body: { seed: 9007199254740995n } },
      ],
    },
  ],
  ["[9007199254740993]", [9007199254740992]],
  ["9007199254740993", 9007199254740992],
])("%s keeps its digits", async (text, expected) => expect(await read(text)).toEqual(expected));

const [ODD, EVEN] = ["9007199254740993", "9007199254740992"];
const calling = (value: unknown) => ({ messages: [{}, { tool_calls: [{ function: { arguments: value } }] }] });

it.each<[string, unknown]>([
  [
    `{"messages":[{},{"tool_calls":[{"function":{"arguments":{"a":[1,{"b":-${ODD}}]}}}]}]}`,
    calling({ a: [1, { b: -BigInt(ODD) }] }),
  ],
  [
    `{"messages":[{"content":[{"type":"text"},{"input":{"id":${ODD}, "of":"${ODD}", "x":${ODD}.0}}]}]}`,
    {
      messages: [{ content: [{ type: "text" }, { input: { id: BigInt(ODD), of: ODD, x: Number(ODD) } }] }],
    },
  ],
  [
    `{"body":{"messages":[{"function_call":{"arguments":{"1":${ODD},"0":${EVEN}}}}]}}`,
    { body: { messages: [{ function_call: { arguments: { "1": BigInt(ODD), "0": BigInt(EVEN) } } }] } },
  ],
  [
    `{"messages":[{"content":[{"input":{"a":${ODD},"a":7,"b":${ODD},"b":${EVEN}}}]}]}`,
    { messages: [{ content: [{ input: { a: 7, b: BigInt(EVEN) } }] }] },
  ],
  [
    `{"messages":[{"content":[{"input":{"\\u0061 \\" ]":1${"0".repeat(400)}}}]}]}`,
    { messages: [{ content: [{ input: { 'a " ]': 10n ** 400n } }] }] },
  ],
  [`{"tools":[{"input_schema":{"const":${ODD}}}]}`, { tools: [{ input_schema: { const: Number(ODD) } }] }],
])("the arguments of calls keep their digits: %s", async (text, expected) =>
  expect(await read(text)).toEqual(expected),
);

it("two seeds that round to one number keep their places", async () => {
  const [first, second] = ["9007199254740993", "9007199254740992"];
  const parsed = await read(`{"requests":[{"body":{"seed":${first}}},{"body":{"seed":${second}}}]}`);
  expect(parsed).toEqual({ requests: [{ body: { seed: BigInt(first) } }, { body: { seed: BigInt(second) } }] });
});

it("a text full of keys is searched in turns", async () => {
  const text = `{"seed":9007199254740993,"stop":[${'"seed",'.repeat(400_000)}"seed"],"random_seed":9007199254740995}`;
  const parsed: unknown = JSON.parse(text);
  const { turns } = await turnsDuring(() => exactIntegers(text, parsed));
  expect(turns).toBeGreaterThan(1);
  expect(parsed).toMatchObject({ seed: 9007199254740993n, random_seed: 9007199254740995n });
});
