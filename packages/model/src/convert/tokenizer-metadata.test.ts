import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeSentencePiece, PIECES, writeCheckpoint } from "../testing/checkpoint.js";
import type { CheckpointConfig } from "./hugging-face-config.js";
import { readTokenizerMetadata } from "./tokenizer-metadata.js";

const config = { vocabSize: 8, bosId: 1, eosIds: [2] as readonly number[] } as CheckpointConfig;

async function metadataOf(
  files: Readonly<Record<string, unknown>>,
  warnings: string[] = [],
  { eosIds } = config,
): Promise<Record<string, unknown>> {
  const dir = await writeCheckpoint(files);
  const request = { dir, config: { ...config, eosIds }, onWarning: (text: string) => warnings.push(text) };
  const metadata = await readTokenizerMetadata(request);
  return Object.fromEntries(metadata.map(([key, { value }]) => [key.replace("tokenizer.ggml.", ""), value]));
}

describe("tokenizer.model", () => {
  test("gives pieces, scores and kinds", async () => {
    const metadata = await metadataOf({ "tokenizer.model": encodeSentencePiece(PIECES) });
    expect(metadata).toMatchObject({ model: "llama", pre: "default", add_space_prefix: true, unknown_token_id: 0 });
    expect(metadata.scores).toEqual(Float32Array.of(0, 0, 0, 0, -1.5, -10_000, -10_000, -10_000));
    expect(metadata.token_type).toEqual(Int32Array.of(2, 3, 3, 6, 1, 5, 5, 5));
  });

  test("keeps a byte order mark that is a piece", async () => {
    const metadata = await metadataOf({
      "tokenizer.model": encodeSentencePiece([
        ["<unk>", 0, 2],
        ["\ufeff", -1, 1],
      ]),
    });
    expect((metadata.tokens as readonly string[])[1]).toBe("\ufeff");
  });

  test.each([
    ["a unigram model", encodeSentencePiece(PIECES, 1), /unigram/],
    ["no pieces", encodeSentencePiece([]), /no pieces/],
    [
      "more pieces than rows",
      encodeSentencePiece(Array.from({ length: 9 }, (_, id) => [`a${id}`, 0, 1] as const)),
      /9 tokens.*8 rows/,
    ],
    ["something else", Buffer.from("<html>"), /not a SentencePiece model/],
  ])("with %s is refused", async (_, bytes, message) => {
    await expect(metadataOf({ "tokenizer.model": bytes })).rejects.toMatchObject({
      code: "TOKENIZER_UNSUPPORTED",
      message: expect.stringMatching(message),
    });
  });
});

describe("tokens that a fine-tune added beside tokenizer.model", () => {
  const model = { "tokenizer.model": encodeSentencePiece(PIECES) };
  const CHATML = { "<|im_end|>": 5, "<|im_start|>": 6, "<tool>": 7 };
  const config = {
    chat_template: "T",
    added_tokens_decoder: {
      "1": { content: "<s>", special: true },
      "5": { content: "<|im_end|>", special: true },
      "6": { content: "<|im_start|>", special: false },
      "7": { content: "<tool>", special: false },
    },
  };
  const typesOf = async (files: Readonly<Record<string, unknown>>) => {
    const { tokens, token_type: types, scores } = await metadataOf({ ...model, ...files });
    expect((tokens as readonly string[]).slice(5)).toEqual(["<|im_end|>", "<|im_start|>", "<tool>"]);
    expect((scores as Float32Array).slice(5)).toEqual(Float32Array.of(-1000, -1000, -1000));
    expect((types as Int32Array).slice(0, 5)).toEqual(Int32Array.of(2, 3, 3, 6, 1));
    return [...(types as Int32Array).slice(5)];
  };

  test.each<[string, Readonly<Record<string, unknown>>, number[]]>([
    ["added_tokens.json", { "added_tokens.json": CHATML }, [3, 3, 4]],
    [
      "special_tokens_map.json, which says what is special",
      { "added_tokens.json": CHATML, "special_tokens_map.json": { additional_special_tokens: ["<tool>"] } },
      [3, 3, 3],
    ],
    [
      "tokenizer_config.json, which says what is special",
      { "added_tokens.json": CHATML, "tokenizer_config.json": { pad_token: { content: "<tool>" } } },
      [3, 3, 3],
    ],
    ["added_tokens_decoder", { "tokenizer_config.json": config }, [3, 3, 4]],
    ["both", { "added_tokens.json": CHATML, "tokenizer_config.json": config }, [3, 3, 4]],
    [
      "tokenizer.json, of whose vocabulary nothing is read",
      {
        "tokenizer.json": {
          added_tokens: Object.entries(config.added_tokens_decoder).map(([id, token]) => ({
            id: Number(id),
            ...token,
          })),
        },
      },
      [3, 3, 4],
    ],
  ])("are read from %s", async (_, files, types) => expect(await typesOf(files)).toEqual(types));

  test("may begin and end texts", async () => {
    const map = { bos_token: "<|im_start|>", eos_token: { content: "<|im_end|>" } };
    const files = { ...model, "added_tokens.json": CHATML, "special_tokens_map.json": map };
    expect(await metadataOf(files)).toMatchObject({ bos_token_id: 6, eos_token_id: 5 });
  });

  test("take the places of control tokens that nobody used", async () => {
    const reserved = encodeSentencePiece([...PIECES, ["[control_5]", 0, 3], ["", 0, 5]]);
    const metadata = await metadataOf({ "tokenizer.model": reserved, "added_tokens.json": CHATML });
    expect((metadata.tokens as readonly string[]).slice(5)).toEqual(["<|im_end|>", "<|im_start|>", "<tool>"]);
  });

  const broken: [string, Readonly<Record<string, unknown>>, RegExp][] = [
    [
      "two files give an id two texts",
      { "added_tokens.json": { "<x>": 5 }, "tokenizer_config.json": config },
      /The id 5 is "<x>" in \S+added_tokens\.json and "<\|im_end\|>" in \S+tokenizer_config\.json; correct/,
    ],
    [
      "an id is a piece of text",
      { "added_tokens.json": { "<x>": 4 } },
      /The id 4 is "▁a" in \S+tokenizer\.model and "<x>" in \S+added_tokens\.json/,
    ],
    [
      "tokenizer.json disagrees",
      { "added_tokens.json": { "<x>": 5 }, "tokenizer.json": { added_tokens: [{ id: 5, content: "<y>" }] } },
      /The id 5 is "<x>" in \S+added_tokens\.json and "<y>" in \S+tokenizer\.json; correct/,
    ],
    ["two ids have one text", { "added_tokens.json": { "▁a": 5 } }, /the ids 4 and 5 both have "▁a"/],
    ["an id is none", { "added_tokens.json": { "<x>": -1 } }, /the token "<x>" has the id -1/],
  ];
  test.each(broken)("are refused where %s", async (_, files, message) => {
    await expect(metadataOf({ ...model, ...files })).rejects.toMatchObject({
      code: "TOKENIZER_UNSUPPORTED",
      message: expect.stringMatching(message),
    });
  });
});

describe("warnings", () => {
  const warningsOf = async (files: Readonly<Record<string, unknown>>) => {
    const warnings: string[] = [];
    await metadataOf(files, warnings);
    return warnings;
  };
  const full = encodeSentencePiece([...PIECES, ["b", -2, 1], ["c", -3, 1], ["d", -4, 1]]);
  const template = { "tokenizer_config.json": { chat_template: "{{ messages[0].content }}" } };

  test("there are none for a whole tokenizer with a template", async () => {
    expect(await warningsOf({ "tokenizer.model": full, ...template })).toEqual([]);
  });

  test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    [
      "no chat template",
      { "tokenizer.model": full },
      /^There is no chat template in .*unless .* with --chat-template\.$/,
    ],
    [
      "a chat template that can't be parsed",
      { "tokenizer.model": full, "tokenizer_config.json": { chat_template: "{% for %}" } },
      /^The chat template in \S+ can't be parsed \(.+\): chats will be refused/,
    ],
    [
      "rows without a token",
      { "tokenizer.model": encodeSentencePiece(PIECES), ...template },
      /^3 of the embedding's 8 rows have no token; they are called \[PAD5\] to \[PAD7\]\.$/,
    ],
    [
      "a token without a row",
      { "tokenizer.model": full, "added_tokens.json": { "[PAD]": 8 }, ...template },
      /^The embedding has 8 rows; tokens beyond them are left out: "\[PAD\]"\.$/,
    ],
  ])("tell of %s", async (_, files, message) =>
    expect(await warningsOf(files)).toEqual([expect.stringMatching(message)]),
  );

  test("Mistral's vocabulary with [INST] needs no template", async () => {
    const pieces = encodeSentencePiece([
      ...PIECES.slice(0, 3),
      ["[INST]", 0, 3],
      ["a", 0, 1],
      ["b", 0, 1],
      ["c", 0, 1],
      ["d", 0, 1],
    ]);
    expect(await warningsOf({ "tokenizer.model": pieces })).toEqual([]);
  });
});

describe("tokenizer.json", () => {
  const byteLevel = {
    added_tokens: [
      { id: 4, content: "<|end|>", special: true },
      { id: 5, content: "<x>", special: false },
    ],
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "Digits", individual_digits: true }, { type: "ByteLevel" }],
    },
    model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2, Ġ: 3 }, merges: ["a b"] },
  };

  test("of byte-level BPE gives merges, in either notation", async () => {
    for (const merges of [["a b"], [["a", "b"]]]) {
      const json = { ...byteLevel, model: { ...byteLevel.model, merges } };
      const metadata = await metadataOf({ "tokenizer.json": json });
      expect(metadata).toMatchObject({ model: "gpt2", pre: "smollm", merges: ["a b"] });
      expect(metadata.token_type).toEqual(Int32Array.of(1, 1, 1, 1, 3, 4, 5, 5));
      expect(metadata).not.toHaveProperty("add_bos_token");
    }
  });

  const split = (pattern: string) => ({
    type: "Sequence",
    pretokenizers: [{ type: "Split", pattern: { Regex: pattern } }, { type: "ByteLevel" }],
  });
  const LLAMA_3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  test.each([
    ["Llama 3's", split(LLAMA_3), "llama-bpe"],
    ["GPT-2's", { type: "ByteLevel" }, "gpt-2"],
    ["SmolLM2's", byteLevel.pre_tokenizer, "smollm"],
  ])("of %s pre-tokenizer is named as libllama names it", async (_, pre, expected) => {
    expect(await metadataOf({ "tokenizer.json": { ...byteLevel, pre_tokenizer: pre } })).toMatchObject({
      pre: expected,
    });
  });

  test("of another pattern is refused with the pattern", async () => {
    const pre = split(LLAMA_3.replace("{1,3}", ""));
    await expect(metadataOf({ "tokenizer.json": { ...byteLevel, pre_tokenizer: pre } })).rejects.toMatchObject({
      code: "TOKENIZER_UNSUPPORTED",
      message: expect.stringMatching(/the pre-tokenizer Split\+ByteLevel with .* is not supported/),
    });
  });

  test("of SentencePiece's kind gives scores that merge in the same order", async () => {
    const vocab = { "<unk>": 0, "<s>": 1, "</s>": 2, "<0x0A>": 3, a: 4, b: 5, ab: 6, aba: 7 };
    const json = { model: { type: "BPE", byte_fallback: true, unk_token: "<unk>", vocab, merges: ["a b", "ab a"] } };
    const metadata = await metadataOf({
      "tokenizer.json": { ...json, added_tokens: [{ id: 0, content: "<unk>", special: true }] },
    });
    expect(metadata).toMatchObject({ model: "llama", unknown_token_id: 0, add_bos_token: true });
    expect(metadata.token_type).toEqual(Int32Array.of(2, 1, 1, 6, 1, 1, 1, 1));
    const [, , , , a, , ab, aba] = metadata.scores as Float32Array;
    expect([ab, aba]).toEqual([-0, -1]);
    expect(a).toBe(-2);
  });

  test.each([
    ["another model", { model: { type: "Unigram" } }, /type Unigram/],
    [
      "another way of splitting",
      { ...byteLevel, pre_tokenizer: { type: "Whitespace" } },
      /pre-tokenizer Whitespace is not supported/,
    ],
    ["a broken merge", { model: { ...byteLevel.model, merges: ["a"] } }, /merge "a"|two pieces/],
    [
      "merges whose halves the vocabulary lacks",
      { model: { ...byteLevel.model, merges: ["a b", "a c", "ab d"] } },
      /model\.vocab lacks a piece of 2 of 3 merges\. The first is merge 1, "a" and "c", for which "c" has no id\. /,
    ],
    [
      "a merge whose result the vocabulary lacks",
      { ...byteLevel, model: { ...byteLevel.model, merges: [["b", "a"]] } },
      /lacks a piece of 1 of 1 merges\. The first is merge 0, "b" and "a", for which "ba" has no id\. /,
    ],
    [
      "such a merge of SentencePiece's kind",
      { model: { ...byteLevel.model, byte_fallback: true, merges: ["ab b"] } },
      /lacks a piece of 1 of 1 merges\. The first is merge 0, "ab" and "b", for which "abb" has no id\. /,
    ],
    [
      "a prefix of pieces that continue a word",
      { model: { ...byteLevel.model, continuing_subword_prefix: "##" } },
      /model\.continuing_subword_prefix is "##"; /,
    ],
    [
      "a suffix of pieces that end a word",
      { model: { ...byteLevel.model, end_of_word_suffix: "</w>" } },
      /model\.end_of_word_suffix is "<\/w>"; /,
    ],
    [
      "two pieces of one id",
      { ...byteLevel, model: { ...byteLevel.model, vocab: { a: 0, b: 0 } } },
      /the id 0 is both "a" and "b"\.$/,
    ],
    [
      "an added token in the place of a piece",
      { ...byteLevel, added_tokens: [{ id: 1, content: "<|end|>", special: true }] },
      /The id 1 is "b" in \S+tokenizer\.json and "<\|end\|>" in \S+tokenizer\.json/,
    ],
  ])("with %s is refused", async (_, json, message) => {
    await expect(metadataOf({ "tokenizer.json": json })).rejects.toMatchObject({
      code: "TOKENIZER_UNSUPPORTED",
      message: expect.stringMatching(message),
    });
  });

  test("takes special tokens and the template from the files beside it", async () => {
    const metadata = await metadataOf({
      "tokenizer.json": byteLevel,
      "tokenizer_config.json": {
        bos_token: "a",
        eos_token: { content: "<|end|>" },
        add_bos_token: true,
        chat_template: [{ name: "default", template: "T" }],
      },
      "generation_config.json": { eos_token_id: [4, 5] },
    });
    expect(metadata).toMatchObject({
      bos_token_id: 0,
      eos_token_id: 4,
      eot_token_id: 5,
      add_bos_token: true,
      "tokenizer.chat_template": "T",
    });
  });
});

describe("tokens that end an answer", () => {
  const added = { "<a>": 5, "<b>": 6, "<c>": 7 };
  const files = { "tokenizer.model": encodeSentencePiece(PIECES), "added_tokens.json": added };
  const ends = (ids: readonly number[]) => ({ ...files, "generation_config.json": { eos_token_id: ids } });
  const noTemplate = expect.stringContaining("chat template");

  test("are three at most, and the others are told", async () => {
    const warnings: string[] = [];
    expect(await metadataOf(ends([2, 6, 2, 5, 7, 99]), warnings)).toMatchObject({
      eos_token_id: 2,
      eot_token_id: 6,
      eom_token_id: 5,
    });
    expect(warnings).toEqual([noTemplate, 'A GGUF file names three tokens that end an answer; left out: "<c>".']);
  });

  test("are config.json's where generation_config.json names none", async () => {
    const [warnings, several] = [[] as string[], { eosIds: [2, 7] } as unknown as CheckpointConfig];
    expect(await metadataOf(files, warnings, several)).toMatchObject({ eos_token_id: 2, eot_token_id: 7 });
    expect(await metadataOf(ends([2]), warnings, several)).not.toHaveProperty("eot_token_id");
    expect(warnings).toEqual([noTemplate, noTemplate]);
  });
});

test("a tokenizer in another place can be named, and one that is missing is told", async () => {
  const dir = await writeCheckpoint({ "other.model": encodeSentencePiece(PIECES) });
  const source = join(dir, "other.model");
  expect((await readTokenizerMetadata({ dir: "/nowhere", config, source })).length).toBeGreaterThan(5);
  for (const name of ["x.model", "x.json"]) {
    await expect(readTokenizerMetadata({ dir, config, source: join(dir, name) })).rejects.toMatchObject({
      code: "TOKENIZER_UNSUPPORTED",
      message: expect.stringMatching(/no file/),
    });
  }
});
