// The thread is a compiled file: this test uses the package as its users do.
import { GrammarBuilder, type GrammarVocabulary } from "@rhone/grammar";
import { afterAll, expect, it } from "vitest";
import { judgeOf } from "../testing/judge.js";
import { allows } from "../testing/random-text.js";
import { TOOL_CASES } from "../testing/tool-schemas.js";

/** Every byte, and many words: 8,192 tokens, a few of which a real vocabulary shares with the keys of the schemas. */
const words = Array.from({ length: 7935 }, (_, i) => `${i % 2 === 0 ? " " : ""}${(i * 104_729).toString(26)}`);
const vocabulary: GrammarVocabulary = {
  size: 8192,
  pieces: [
    new Uint8Array(),
    ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    ...words.map((word) => Buffer.from(word)),
  ],
  endTokens: [0],
};
/** As the gateway sets them where no setting does. */
const limits = { timeoutMs: 2500, memoryBytes: 256 * 2 ** 20, most: 64, withinMs: 30_000 };
const builder = new GrammarBuilder({ vocabulary: async () => vocabulary, limits });
afterAll(() => builder.close());

it.each(TOOL_CASES)("$name is enforced within the default limits", async ({ schema, valid, invalid }) => {
  const judge = judgeOf(schema);
  expect(judge(JSON.stringify(valid))).toBeNull();
  expect(judge(JSON.stringify(invalid))).not.toBeNull();
  const { grammar } = await builder.build({
    owner: "",
    leadingSpace: false,
    source: { kind: "schema", param: "s", schema, strict: true },
  });
  expect(await allows(grammar, JSON.stringify(valid))).toBe(true);
  expect(await allows(grammar, JSON.stringify(invalid))).toBe(false);
});
