import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The embedded demonstration model: 1,024 tokens, with weights. */
export const BREEZE = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));

/** A new folder for files of one test. */
export const temporaryFolder = (name: string): string => mkdtempSync(join(tmpdir(), `rhone-${name}-`));

type Metadata = Readonly<Record<string, string | readonly string[] | Int32Array>>;

/** Writes a GGUF file of metadata, without a tensor. */
export function writeGguf(path: string, entries: Metadata): string {
  const u32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer);
  const u64 = (n: number) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
  const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
  const list = (type: number, items: readonly Buffer[]) =>
    Buffer.concat([u32(9), u32(type), u64(items.length), ...items]);
  const typed = (value: Metadata[string]): Buffer => {
    if (typeof value === "string") return Buffer.concat([u32(8), text(value)]);
    return value instanceof Int32Array ? list(5, Array.from(value, u32)) : list(8, value.map(text));
  };
  const pairs = Object.entries(entries).map(([key, value]) => Buffer.concat([text(key), typed(value)]));
  writeFileSync(path, Buffer.concat([Buffer.from("GGUF"), u32(3), u64(0), u64(pairs.length), ...pairs]));
  return path;
}

/** Each byte as byte-pair vocabularies write it: a printable character for every one of them (OpenAI's GPT-2). */
const BYTES = Array.from({ length: 256 }, (_, byte) => byte);
const isPrintable = (byte: number) => byte > 32 && byte !== 127 && (byte < 128 || byte > 160) && byte !== 173;
const UNPRINTABLE = BYTES.filter((byte) => !isPrintable(byte));
const BYTE_PIECES = BYTES.map((byte) =>
  String.fromCodePoint(isPrintable(byte) ? byte : 256 + UNPRINTABLE.indexOf(byte)),
);

const MERGES = ["t h", "th e", "Ġ the", "a a", "aa aa", "Ċ Ċ", "Ġ Ġ", "Ã ©", "l o", "lo lo", "1 2"];

/** Writes a byte-pair vocabulary whose texts are split into words as `pre`, a name that libllama knows, says. */
export function writeBytePairs(path: string, pre: string): string {
  const tokens = [...BYTE_PIECES, ...MERGES.map((pair) => pair.replace(" ", "")), "<|end|>"];
  const [normal, control] = [1, 3];
  return writeGguf(path, {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": pre,
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": Int32Array.from(tokens, (_, id) => (id === tokens.length - 1 ? control : normal)),
    "tokenizer.ggml.merges": MERGES,
  });
}
