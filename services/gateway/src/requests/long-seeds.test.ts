import { expect, it } from "vitest";
import { turnsDuring } from "../testing/turns-during.js";
import { exactSeeds, roundedSeeds } from "./long-seeds.js";

async function read(text: string): Promise<unknown> {
  const parsed: unknown = JSON.parse(text);
  await exactSeeds(text, roundedSeeds(parsed));
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

it("two seeds that round to one number keep their places", async () => {
  const [first, second] = ["9007199254740993", "9007199254740992"];
  const parsed = await read(`{"requests":[{"body":{"seed":${first}}},{"body":{"seed":${second}}}]}`);
  expect(parsed).toEqual({ requests: [{ body: { seed: BigInt(first) } }, { body: { seed: BigInt(second) } }] });
});

it("a text full of keys is searched in turns", async () => {
  const text = `{"seed":9007199254740993,"stop":[${'"seed",'.repeat(400_000)}"seed"],"random_seed":9007199254740995}`;
  const parsed: unknown = JSON.parse(text);
  const { turns } = await turnsDuring(() => exactSeeds(text, roundedSeeds(parsed)));
  expect(turns).toBeGreaterThan(1);
  expect(parsed).toMatchObject({ seed: 9007199254740993n, random_seed: 9007199254740995n });
});
