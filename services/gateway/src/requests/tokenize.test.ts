import { describe, expect, it, vi } from "vitest";
import { fakeModel } from "../testing/fake-model.js";
import { parseRequest } from "./request-fields.js";
import { decode, encode, tokenizeRequestSchema, tokenizerInfo } from "./tokenize.js";

const read = (body: object) => parseRequest(tokenizeRequestSchema, body);

describe("encode", () => {
  it.each<[string, object, boolean]>([
    ["vLLM's prompt, with BOS", { prompt: "a" }, true],
    ["vLLM's prompt without it", { prompt: "a", add_special_tokens: false }, false],
    ["llama-server's content, without BOS", { content: "a" }, false],
    ["llama-server's content with it", { content: "a", add_special: true }, true],
    ["vLLM's field before llama-server's", { content: "a", add_special: true, add_special_tokens: false }, false],
    ["an empty prompt", { prompt: "" }, true],
  ])("takes %s", async (_, body, addSpecial) => {
    const model = fakeModel();
    const encodeText = vi.spyOn(model, "encodeText");
    await encode(model, read(body), "key");
    expect(encodeText).toHaveBeenCalledExactlyOnceWith(expect.any(String), { addSpecial, owner: "key" });
  });

  it("takes a conversation, as its template writes it", async () => {
    const messages = [{ role: "user", content: "hi" }];
    expect(await encode(fakeModel(), read({ messages }))).toEqual([1, 104, 105]);
  });

  it.each<[string, object]>([
    ["nothing", {}],
    ["two texts", { prompt: "a", content: "b" }],
    ["a text and a conversation", { prompt: "a", messages: [{ role: "user", content: "b" }] }],
  ])("refuses %s", async (_, body) => {
    const refusal = { code: "INVALID_REQUEST", param: "prompt" };
    await expect(encode(fakeModel(), read(body))).rejects.toMatchObject(refusal);
  });
});

describe("decode", () => {
  it("drops the space that the tokenizer puts first, and no other", () => {
    expect(decode(fakeModel(), [32, 32, 97])).toBe(" a");
    expect(decode({ ...fakeModel(), addsLeadingSpace: false }, [32, 97])).toBe(" a");
  });

  it("joins bytes before it reads characters", () => expect(decode(fakeModel(), [0xe2, 0x96, 0x81])).toBe("▁"));

  it("refuses tokens outside the vocabulary", () => {
    const refusal = { param: "tokens", message: "tokens: 256 is outside the vocabulary, 0 to 255." };
    expect(() => decode(fakeModel(), [97, 256])).toThrow(expect.objectContaining(refusal));
  });
});

it("a tokenizer's description names its special tokens, or null", () => {
  const model = { ...fakeModel(), special: { bos: 97, eos: 98, unk: undefined } };
  expect(tokenizerInfo(model)).toMatchObject({
    vocab_size: 256,
    bos_token: "a",
    eos_token: "b",
    pad_token: "b",
    unk_token: null,
    chat_template: null,
  });
});
