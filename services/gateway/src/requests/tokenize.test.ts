import { describe, expect, it, vi } from "vitest";
import { fakeModel } from "../testing/fake-model.js";
import { spin } from "../testing/spin.js";
import { turnsDuring } from "../testing/turns-during.js";
import type { TextModel } from "../text/text-model.js";
import { parseLongRequest } from "./request-fields.js";
import { decode, encode, tokenizeRequestSchema, tokenizerInfo, withPieces } from "./tokenize.js";

const read = (body: object) => parseLongRequest(tokenizeRequestSchema, body);

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
    await encode(model, await read(body), "key");
    expect(encodeText).toHaveBeenCalledExactlyOnceWith(expect.any(String), { addSpecial, owner: "key" });
  });

  it("takes a conversation, as its template writes it", async () => {
    const messages = [{ role: "user", content: "hi" }];
    expect(await encode(fakeModel(), await read({ messages }))).toEqual([1, 104, 105]);
  });

  it.each<[string, object]>([
    ["nothing", {}],
    ["two texts", { prompt: "a", content: "b" }],
    ["a text and a conversation", { prompt: "a", messages: [{ role: "user", content: "b" }] }],
  ])("refuses %s", async (_, body) => {
    const refusal = { code: "INVALID_REQUEST", param: "prompt" };
    await expect(encode(fakeModel(), await read(body))).rejects.toMatchObject(refusal);
  });
});

describe("withPieces", () => {
  it.each<[string, object, object]>([
    ["neither", {}, { tokens: [97, 98], token_strs: null }],
    [
      "llama-server's",
      { with_pieces: true },
      {
        tokens: [
          { id: 97, piece: "a" },
          { id: 98, piece: "b" },
        ],
        token_strs: null,
      },
    ],
    ["vLLM's", { return_token_strs: true }, { tokens: [97, 98], token_strs: ["a", "b"] }],
  ])("writes %s", async (_, fields, answer) =>
    expect(await withPieces(fakeModel(), [97, 98], await read(fields))).toEqual(answer),
  );

  it("refuses the texts of more ids than the context holds, and not the ids", async () => {
    const model = { ...fakeModel(), contextLength: 1 };
    const refusal = { code: "CONTEXT_LENGTH_EXCEEDED", param: "prompt", details: { n_prompt_tokens: 2, n_ctx: 1 } };
    for (const field of ["with_pieces", "return_token_strs"])
      await expect(withPieces(model, [97, 98], await read({ [field]: true }))).rejects.toMatchObject(refusal);
    expect(await withPieces(model, [97, 98], await read({}))).toMatchObject({ tokens: [97, 98] });
  });

  it("lets the event loop turn", async () => {
    const asked = await read({ with_pieces: true });
    const { turns } = await turnsDuring(() => withPieces(slowModel(), LONG, asked));
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});

describe("decode", () => {
  it("drops the space that the tokenizer puts first, and no other", async () => {
    expect(await decode(fakeModel(), [32, 32, 97])).toBe(" a");
    expect(await decode({ ...fakeModel(), addsLeadingSpace: false }, [32, 97])).toBe(" a");
  });

  it("joins bytes before it reads characters", async () =>
    expect(await decode(fakeModel(), [0xe2, 0x96, 0x81])).toBe("▁"));

  it("refuses tokens outside the vocabulary", async () => {
    const refusal = { param: "tokens", message: "tokens: 256 is outside the vocabulary, 0 to 255." };
    await expect(decode(fakeModel(), [97, 256])).rejects.toMatchObject(refusal);
  });

  it("refuses more tokens than the context holds, and reads none", async () => {
    const model = { ...fakeModel(), contextLength: 2 };
    const pieceBytes = vi.spyOn(model, "pieceBytes");
    const refusal = { code: "CONTEXT_LENGTH_EXCEEDED", param: "tokens", details: { n_prompt_tokens: 3, n_ctx: 2 } };
    await expect(decode(model, [97, 98, 99])).rejects.toMatchObject(refusal);
    expect(pieceBytes).not.toHaveBeenCalled();
    expect(await decode(model, [97, 98])).toBe("ab");
  });

  it("lets the event loop turn", async () => {
    const { result, turns } = await turnsDuring(() => decode(slowModel(), LONG));
    expect(result).toBe("a".repeat(LONG.length));
    expect(turns).toBeGreaterThanOrEqual(3);
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

const LONG = Array.from({ length: 2000 }, () => 97);

/** Its pieces take 0.05 ms each. */
function slowModel(): TextModel {
  const model = fakeModel();
  return {
    ...model,
    pieceBytes: (id, options) => {
      spin(0.05);
      return model.pieceBytes(id, options);
    },
  };
}
