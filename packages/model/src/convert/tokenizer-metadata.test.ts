import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeSentencePiece, PIECES, writeCheckpoint } from "../testing/checkpoint.js";
import type { CheckpointConfig } from "./hugging-face-config.js";
import { readTokenizerMetadata } from "./tokenizer-metadata.js";

const config = { vocabSize: 8, bosId: 1, eosId: 2 } as CheckpointConfig;

async function metadataOf(files: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  const metadata = await readTokenizerMetadata(await writeCheckpoint(files), config);
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

test("a tokenizer in another place can be named, and one that is missing is told", async () => {
  const dir = await writeCheckpoint({ "other.model": encodeSentencePiece(PIECES) });
  expect((await readTokenizerMetadata("/nowhere", config, join(dir, "other.model"))).length).toBeGreaterThan(5);
  for (const name of ["x.model", "x.json"]) {
    await expect(readTokenizerMetadata(dir, config, join(dir, name))).rejects.toMatchObject({
      code: "TOKENIZER_UNSUPPORTED",
      message: expect.stringMatching(/no file/),
    });
  }
});
