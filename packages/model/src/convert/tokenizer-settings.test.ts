import { describe, expect, test } from "vitest";
import { writeCheckpoint } from "../testing/checkpoint.js";
import { readTokenizerSettings } from "./tokenizer-settings.js";

const settingsOf = async (files: Readonly<Record<string, unknown>>) =>
  readTokenizerSettings(await writeCheckpoint(files));

describe("readTokenizerSettings", () => {
  test("leaves open what no file says", async () => {
    expect(await settingsOf({})).toEqual({
      addBos: undefined,
      addEos: undefined,
      addSpacePrefix: undefined,
      bosText: undefined,
      eosText: undefined,
      chatTemplate: undefined,
      endIds: [],
    });
  });

  test("takes flags and special tokens from tokenizer_config.json", async () => {
    const config = {
      add_bos_token: true,
      add_eos_token: false,
      add_prefix_space: "yes",
      bos_token: "<s>",
      eos_token: { content: "</s>", lstrip: false },
    };
    expect(await settingsOf({ "tokenizer_config.json": config })).toMatchObject({
      addBos: true,
      addEos: false,
      addSpacePrefix: undefined,
      bosText: "<s>",
      eosText: "</s>",
    });
  });

  test("takes special tokens from special_tokens_map.json where tokenizer_config.json has none", async () => {
    const map = { bos_token: "<s>", eos_token: { content: "<|im_end|>" } };
    const files = { "tokenizer_config.json": { bos_token: "<b>" }, "special_tokens_map.json": map };
    expect(await settingsOf(files)).toMatchObject({ bosText: "<b>", eosText: "<|im_end|>" });
  });

  test.each([
    ["one id", 2, [2]],
    ["several", [128_001, 128_009], [128_001, 128_009]],
    ["nothing of use", ["</s>", null, 1.5], []],
  ])("takes %s that end a generation", async (_, ids, expected) => {
    expect((await settingsOf({ "generation_config.json": { eos_token_id: ids } })).endIds).toEqual(expected);
  });

  const named = [
    { name: "tool_use", template: "T" },
    { name: "default", template: "D" },
  ];
  test.each<[string, Record<string, unknown>, string | undefined]>([
    ["text in tokenizer_config.json", { "tokenizer_config.json": { chat_template: "A" } }, "A"],
    ["the default of several", { "tokenizer_config.json": { chat_template: named } }, "D"],
    ["several without a default", { "tokenizer_config.json": { chat_template: named.slice(0, 1) } }, undefined],
    ["a file of its own", { "chat_template.jinja": "J" }, "J"],
    ["a JSON file of its own", { "chat_template.json": { chat_template: "S" } }, "S"],
    [
      "a file of its own before tokenizer_config.json, as in transformers",
      { "tokenizer_config.json": { chat_template: "A" }, "chat_template.jinja": "J" },
      "J",
    ],
    [
      "tokenizer_config.json before a JSON file",
      { "tokenizer_config.json": { chat_template: "A" }, "chat_template.json": { chat_template: "S" } },
      "A",
    ],
    ["Jinja before JSON", { "chat_template.json": { chat_template: "S" }, "chat_template.jinja": "J" }, "J"],
  ])("finds the chat template: %s", async (_, files, expected) => {
    expect((await settingsOf(files)).chatTemplate).toBe(expected);
  });
});
