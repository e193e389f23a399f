import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEngine } from "../native/engine.js";
import { BREEZE, temporaryFolder, writeGguf } from "../testing/small-files.js";
import { Vocabulary } from "./vocabulary.js";

const engine = openEngine();
const folder = temporaryFolder("vocabulary");
let vocabulary: Vocabulary;

beforeAll(() => {
  vocabulary = Vocabulary.open(engine, BREEZE);
});
afterAll(() => {
  vocabulary.close();
  rmSync(folder, { recursive: true });
});

const plain = { addSpecial: false, parseSpecial: false };
const decode = (ids: Int32Array, special = false) =>
  Buffer.concat([...ids].map((id) => vocabulary.pieceBytes(id, { special }))).toString("utf8");

describe("Vocabulary", () => {
  it("knows its special tokens", () => {
    const { size, bos, eos, unk } = vocabulary;
    expect({ size, bos, eos, unk }).toEqual({ size: 1024, bos: 1, eos: 2, unk: 0 });
    expect([vocabulary.isEndOfGeneration(2), vocabulary.isEndOfGeneration(300)]).toEqual([true, false]);
    expect([vocabulary.isControl(1), vocabulary.isControl(300)]).toEqual([true, false]);
  });

  it.each([
    { text: "Hello world", ids: [905, 736, 670] },
    { text: "", ids: [] },
    { text: "a\0b", ids: [265, 3, 982] },
    { text: "🙂 café", ids: [952, 243, 162, 156, 133, 308, 981, 198, 172] },
  ])("tokenizes $text stably, and back", ({ text, ids }) => {
    const tokens = vocabulary.tokenize(text, plain);
    expect([...tokens]).toEqual(ids);
    expect(decode(tokens)).toBe(text === "" ? "" : ` ${text}`);
  });

  it("adds BOS when asked, also to nothing", () => {
    expect([...vocabulary.tokenize("", { addSpecial: true, parseSpecial: false })]).toEqual([1]);
    expect([...vocabulary.tokenize("Hello world", { addSpecial: true, parseSpecial: false })]).toEqual([
      1, 905, 736, 670,
    ]);
  });

  it("reads special tokens in the text only when asked", () => {
    expect([...vocabulary.tokenize("</s>", { addSpecial: false, parseSpecial: true })]).toEqual([2]);
    expect(decode(vocabulary.tokenize("</s>", plain))).toBe(" </s>");
    expect(decode(Int32Array.of(2))).toBe("");
    expect(decode(Int32Array.of(2), true)).toBe("</s>");
  });

  it("reads half a surrogate pair as U+FFFD", () => {
    expect(decode(vocabulary.tokenize("\ud800x", plain))).toBe(" \ufffdx");
  });

  it("takes a megabyte", () => {
    const text = "The wind blows down the valley. ".repeat(32768);
    expect(decode(vocabulary.tokenize(text, plain)).length).toBe(text.length + 1);
  });

  it.each([-1, 1024, 1.5, Number.NaN])("refuses the token id %d", (id) => {
    expect(() => vocabulary.pieceBytes(id, { special: true })).toThrowError(
      expect.objectContaining({ code: "INVALID_REQUEST" }),
    );
  });
});

describe("Every token of a vocabulary", () => {
  it("is read back from its own text, when it has one", () => {
    const [unread, read]: [string[], string[]] = [[], []];
    for (let id = 0; id < vocabulary.size; id++) {
      const piece = vocabulary.pieceBytes(id, { special: false }).toString("utf8");
      // Single bytes of longer characters are no text of their own.
      if (piece === "" || piece.includes("\ufffd")) continue;
      // The tokenizer puts a space in front, as SentencePiece does.
      const text = decode(vocabulary.tokenize(piece, plain));
      (text === ` ${piece}` ? read : unread).push(piece);
    }
    expect(unread).toEqual([]);
    expect(read.length).toBeGreaterThan(800);
  });

  it("has bytes, unless it is a control token", () => {
    for (let id = 0; id < vocabulary.size; id++) {
      const bytes = vocabulary.pieceBytes(id, { special: true }).length;
      expect(bytes > 0 || vocabulary.isControl(id)).toBe(true);
    }
  });

  it.each([
    { question: "isControl", ask: (id: number) => vocabulary.isControl(id) },
    { question: "isEndOfGeneration", ask: (id: number) => vocabulary.isEndOfGeneration(id) },
  ])("refuses ids outside the vocabulary: $question", ({ ask }) => {
    expect(() => ask(1024)).toThrow("Token id 1024 is outside the vocabulary of 0 to 1023.");
  });
});

describe("Vocabulary.open", () => {
  it("throws MODEL_NOT_FOUND for no file", () => {
    expect(() => Vocabulary.open(engine, join(folder, "none.gguf"))).toThrowError(
      expect.objectContaining({ code: "MODEL_NOT_FOUND" }),
    );
  });

  it("throws GGUF_MALFORMED for another kind of file", () => {
    const path = join(folder, "text.gguf");
    writeFileSync(path, "not a model");
    expect(() => Vocabulary.open(engine, path)).toThrowError(expect.objectContaining({ code: "GGUF_MALFORMED" }));
  });

  it("throws TOKENIZER_UNSUPPORTED for a tokenizer that nobody knows", () => {
    const entries = { "general.architecture": "llama", "tokenizer.ggml.model": "runes" };
    const path = writeGguf(join(folder, "odd.gguf"), entries);
    expect(() => Vocabulary.open(engine, path)).toThrowError(
      expect.objectContaining({ code: "TOKENIZER_UNSUPPORTED", message: expect.stringContaining("runes") }),
    );
  });

  it("refuses to be used once closed", () => {
    const closed = Vocabulary.open(engine, BREEZE);
    closed.close();
    closed.close();
    expect(() => closed.tokenize("x", plain)).toThrow(/closed/);
    expect(() => closed.pieceBytes(1, { special: true })).toThrow(/closed/);
    const asks = [() => closed.isControl(1), () => closed.isEndOfGeneration(1)];
    for (const ask of asks) expect(ask).toThrow("A vocabulary was used after it was closed.");
  });
});

describe("Vocabulary.borrow", () => {
  it("tokenizes with another thread's vocabulary, which stays open", () => {
    const owner = Vocabulary.open(engine, BREEZE);
    const borrowed = Vocabulary.borrow(engine, owner.shared);
    const ids = borrowed.tokenize("The wind", plain);
    borrowed.close();
    expect(() => borrowed.tokenize("x", plain)).toThrow(/closed/);
    expect(owner.tokenize("The wind", plain)).toEqual(ids);
    owner.close();
  });
});
