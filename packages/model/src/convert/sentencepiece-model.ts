import { readFile } from "node:fs/promises";
import { RhoneError } from "@rhone/common/rhone-error";
import { type ProtobufField, protobufFields } from "./protobuf-fields.js";

/** An entry of a vocabulary. `type` is one of TOKEN_TYPE. */
export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

/** Kinds of tokens, numbered alike in SentencePiece and in GGUF. */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** The part of a `tokenizer.model` that goes into a GGUF file. */
export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  readonly addDummyPrefix: boolean;
}

// Field numbers of sentencepiece_model.proto.
const MODEL = { pieces: 1, trainer: 2, normalizer: 3 } as const;
const PIECE = { text: 1, score: 2, type: 3 } as const;
const TRAINER_MODEL_TYPE = 3;
const NORMALIZER_ADD_DUMMY_PREFIX = 3;
const MODEL_TYPES: Readonly<Record<number, string>> = { 1: "unigram", 2: "BPE", 3: "word", 4: "char" };
const BPE = 2;

/** Mistral's vocabularies have a piece that is a byte order mark. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads a `tokenizer.model`. Throws TOKENIZER_UNSUPPORTED when it is damaged or not a BPE model. */
export async function readSentencePieceModel(path: string): Promise<SentencePieceModel> {
  const bytes = await readFile(path);
  try {
    return parseModel(path, bytes);
  } catch (cause) {
    if (cause instanceof RhoneError) throw cause;
    throw new RhoneError(
      "TOKENIZER_UNSUPPORTED",
      `${path} is not a SentencePiece model: ${(cause as Error).message}.`,
      { cause },
    );
  }
}

function parseModel(path: string, bytes: Uint8Array): SentencePieceModel {
  const pieces: Piece[] = [];
  let modelType = 1;
  let addDummyPrefix = true;
  for (const field of protobufFields(bytes)) {
    if (field.kind !== "bytes") continue;
    if (field.number === MODEL.pieces) pieces.push(parsePiece(field.bytes));
    if (field.number === MODEL.trainer) modelType = varintOf(field.bytes, TRAINER_MODEL_TYPE) ?? modelType;
    if (field.number === MODEL.normalizer) addDummyPrefix = varintOf(field.bytes, NORMALIZER_ADD_DUMMY_PREFIX) !== 0;
  }
  if (pieces.length === 0) throw new RhoneError("TOKENIZER_UNSUPPORTED", `${path} has no pieces.`);
  if (modelType !== BPE) {
    const kind = MODEL_TYPES[modelType] ?? `type ${modelType}`;
    throw new RhoneError("TOKENIZER_UNSUPPORTED", `${path} is a ${kind} model; only BPE models can be converted.`);
  }
  return { pieces, addDummyPrefix };
}

function parsePiece(bytes: Uint8Array): Piece {
  let text = "";
  let score = 0;
  let type: number = TOKEN_TYPE.normal;
  for (const field of protobufFields(bytes)) {
    if (field.number === PIECE.text && field.kind === "bytes") text = utf8.decode(field.bytes);
    if (field.number === PIECE.score && field.kind === "fixed32") score = field.float;
    if (field.number === PIECE.type && field.kind === "varint") type = field.value;
  }
  return { text, score, type };
}

function varintOf(bytes: Uint8Array, number: number): number | undefined {
  let found: ProtobufField | undefined;
  for (const field of protobufFields(bytes)) if (field.number === number) found = field;
  return found?.kind === "varint" ? found.value : undefined;
}
