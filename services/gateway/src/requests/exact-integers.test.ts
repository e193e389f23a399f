import { expect, it } from "vitest";
import { turnsDuring } from "../testing/turns-during.js";
import { JsonText, jsonInTurns } from "../write-in-turns.js";
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
const calling = (given: unknown) => ({ messages: [{}, { tool_calls: [{ function: { arguments: given } }] }] });
const using = (...inputs: readonly unknown[]) => ({
  messages: [{ content: [{ type: "text" }, ...inputs.map((input) => ({ input }))] }],
});
const kept = (text: string) => new JsonText(text);
const [first, second] = [`{"a":[1,{"b":-${ODD}}]}`, `{"id": ${ODD}, "of": "${ODD}", "x": [${ODD}.50, {}]}`];
const [plain, quoted] = ['{"a":{"b":[1,{}]}}', `{"\\u0061 \\" }":"${ODD}"}`];

it.each<[string, unknown]>([
  [JSON.stringify(calling(0)).replace("0", first), calling(kept(first))],
  [`{"body":${JSON.stringify(calling(0)).replace("0", first)}}`, { body: calling(kept(first)) }],
  [
    `{"requests":[{},{"body":{"messages":[{"function_call":{"arguments":${first}}}]}}]}`,
    { requests: [{}, { body: { messages: [{ function_call: { arguments: kept(first) } }] } }] },
  ],
  [JSON.stringify(using(0)).replace("0", second), using(kept(second))],
  [
    JSON.stringify(using(0, 1, 2))
      .replace("0", plain)
      .replace("1}", `${quoted}}`)
      .replace("2}", `${second}}`),
    using(JSON.parse(plain), JSON.parse(quoted), kept(second)),
  ],
  [
    `{"messages":[{"content":[{"input":${first},"input":${plain}}]}]}`,
    { messages: [{ content: [{ input: kept(plain) }] }] },
  ],
  [`{"messages":[{"content":[{"input":${first},"input":7}]}]}`, { messages: [{ content: [{ input: 7 }] }] }],
  [
    `{"messages":[{"content":[{"input":{"a":1${"0".repeat(400)}}}]}]}`,
    { messages: [{ content: [{ input: kept(`{"a":1${"0".repeat(400)}}`) }] }] },
  ],
  [`{"tools":[{"input_schema":{"const":${ODD}}}]}`, { tools: [{ input_schema: { const: Number(ODD) } }] }],
  [`{"seed":${ODD},"seed":7}`, { seed: 7 }],
  [`{"seed":${ODD},"seed":${EVEN}}`, { seed: BigInt(EVEN) }],
])("the arguments of calls keep their digits, and no others: %s", async (text, expected) => {
  const found = await read(text);
  expect(found).toEqual(expected);
  // toEqual takes a JsonText for an object of its fields.
  expect(await jsonInTurns(found)).toBe(await jsonInTurns(expected));
});

it("two seeds that round to one number keep their places", async () => {
  const [first, second] = ["9007199254740993", "9007199254740992"];
  const parsed = await read(`{"requests":[{"body":{"seed":${first}}},{"body":{"seed":${second}}}]}`);
  expect(parsed).toEqual({ requests: [{ body: { seed: BigInt(first) } }, { body: { seed: BigInt(second) } }] });
});

it.each([15, 16, 17, 31, 40])(
  "a long integer behind %d characters is found, and a shorter row of digits is none",
  async (behind) => {
    for (const shift of [0, 1, 7, 15]) {
      const before = `{"a":"${"x".repeat(behind + shift)}","b":123456789012345,`;
      expect(await read(`${before}"seed":${ODD}}`)).toMatchObject({ seed: BigInt(ODD) });
      expect(await read(`${before}"seed":7}`)).toMatchObject({ b: 123456789012345, seed: 7 });
    }
  },
);

it("8 MB of digits in shorter rows are looked through in turns", async () => {
  const text = `{"seed":7,"a":"${"123456789012345x".repeat(2 ** 19)}"}`;
  const parsed = { seed: 7 };
  const { turns } = await turnsDuring(() => exactIntegers(text, parsed));
  expect(turns).toBeGreaterThan(1);
});

it("a text full of keys is searched in turns", async () => {
  const text = `{"seed":9007199254740993,"stop":[${'"seed",'.repeat(400_000)}"seed"],"random_seed":9007199254740995}`;
  const parsed: unknown = JSON.parse(text);
  const { turns } = await turnsDuring(() => exactIntegers(text, parsed));
  expect(turns).toBeGreaterThan(1);
  expect(parsed).toMatchObject({ seed: 9007199254740993n, random_seed: 9007199254740995n });
});
