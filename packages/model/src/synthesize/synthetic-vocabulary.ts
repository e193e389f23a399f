import { type GgufValue, gguf } from "../gguf/gguf-value.js";

/** Values of `tokenizer.ggml.token_type`. */
const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

const V1_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}" +
  "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}" +
  "{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}";

/**
 * Metadata of a SentencePiece vocabulary of `size` pieces that libllama loads: <unk>, <s>, </s>, the 256 bytes,
 * printable ASCII, then invented lower-case words with and without a leading space (▁), shortest first. Every text can
 * be tokenized.
 */
export function syntheticVocabulary(size: number): Map<string, GgufValue> {
  const pieces = takePieces(size);
  const types = pieces.map((_, id) => {
    if (id === 0) return TOKEN_TYPE.unknown;
    if (id < 3) return TOKEN_TYPE.control;
    return id < 259 ? TOKEN_TYPE.byte : TOKEN_TYPE.normal;
  });
  // BPE merges the pair with the highest score first; like SentencePiece, pieces are ranked by their ids.
  const scores = Float32Array.from(pieces, (_, id) => (id < 259 ? 0 : 258 - id));
  return new Map([
    ["tokenizer.ggml.model", gguf.string("llama")],
    ["tokenizer.ggml.pre", gguf.string("default")],
    ["tokenizer.ggml.tokens", gguf.strings(pieces)],
    ["tokenizer.ggml.scores", gguf.f32s(scores)],
    ["tokenizer.ggml.token_type", gguf.i32s(Int32Array.from(types))],
    ["tokenizer.ggml.bos_token_id", gguf.u32(1)],
    ["tokenizer.ggml.eos_token_id", gguf.u32(2)],
    ["tokenizer.ggml.unknown_token_id", gguf.u32(0)],
    ["tokenizer.ggml.add_bos_token", gguf.bool(true)],
    ["tokenizer.ggml.add_eos_token", gguf.bool(false)],
    ["tokenizer.ggml.add_space_prefix", gguf.bool(true)],
    ["tokenizer.chat_template", gguf.string(V1_TEMPLATE)],
  ]);
}

function takePieces(size: number): string[] {
  const pieces: string[] = [];
  for (const piece of allPieces()) {
    if (pieces.length === size) break;
    pieces.push(piece);
  }
  return pieces;
}

function* allPieces(): Generator<string> {
  yield* ["<unk>", "<s>", "</s>"];
  for (let byte = 0; byte < 256; byte++) yield `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
  yield "▁";
  for (let code = 33; code < 127; code++) yield String.fromCharCode(code);
  for (let length = 1; ; length++) {
    for (const word of words(length)) {
      if (length > 1) yield word;
      yield `▁${word}`;
    }
  }
}

/** Every lower-case word of a length, in alphabetical order. */
function* words(length: number): Generator<string> {
  const total = 26 ** length;
  for (let index = 0; index < total; index++) {
    yield index.toString(26).padStart(length, "0").replace(/./g, toLetter);
  }
}

/** The base-26 digit 0 … 9, a … p as a letter a … z. */
const toLetter = (digit: string): string => String.fromCharCode(97 + Number.parseInt(digit, 26));
