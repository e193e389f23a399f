import { existsSync } from "node:fs";
import { RhoneError } from "@rhone/common/rhone-error";
import {
  type LlamaBindings,
  TOKEN_ATTR_CONTROL,
  TOKEN_ATTR_LSTRIP,
  TOKEN_ATTR_RSTRIP,
  TOKEN_ATTR_UNKNOWN,
  TOKEN_NULL,
  VOCAB_TYPE_NONE,
} from "../bindings/llama.js";
import { native, type Pointer } from "../bindings/pointer.js";
import type { Engine } from "../native/engine.js";
import type { SpecialToken } from "./special-names.js";
import { TextParts, type TokenizeOptions } from "./text-parts.js";

export type { TokenizeOptions };

/** Most UTF-16 units that libllama gets at a time. It takes 0.3 ms for as many line feeds, its worst characters. */
const PART_LENGTH = 2048;

/** Most tokens beyond one per byte of text: a space in front, BOS, EOS, and a reserve. */
const SURPLUS_TOKENS = 16;

/** A vocabulary as other threads of this process find it: an address, of use to `Vocabulary.borrow` only. */
export type SharedVocabulary = Pointer & { readonly [vocabularyAddress]: true };
declare const vocabularyAddress: unique symbol;

/** A token whose name is read as this token only with `parseSpecial`. */
export interface ControlToken extends SpecialToken {
  /** The blanks before its name belong to it, and leave no tokens. */
  readonly takesBefore: boolean;
  /** The blanks behind its name do. */
  readonly takesAfter: boolean;
}

interface VocabularyOptions {
  readonly partLength: number;
  readonly isBorrowed: boolean;
}

/**
 * A model's tokenizer: libllama's, read from the GGUF file without its weights. It is only read once it is open, so
 * several threads may use it at a time.
 */
export class Vocabulary {
  /** Number of tokens. */
  readonly size: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  /** The token for text that can't be tokenized. */
  readonly unk: number | undefined;
  readonly #llama: LlamaBindings;
  readonly #model: Pointer;
  readonly #vocab: Pointer;
  readonly #piece = Buffer.alloc(256);
  readonly #partLength: number;
  readonly #isBorrowed: boolean;
  /** Read with the first long text. */
  #parts: TextParts | undefined;
  #open = true;

  private constructor(llama: LlamaBindings, model: Pointer, { partLength, isBorrowed }: VocabularyOptions) {
    const vocab = llama.modelGetVocab(model);
    const optional = (id: number) => (id === TOKEN_NULL ? undefined : id);
    this.#llama = llama;
    this.#model = model;
    this.#partLength = partLength;
    this.#isBorrowed = isBorrowed;
    this.#vocab = vocab;
    this.size = llama.vocabNTokens(vocab);
    this.bos = optional(llama.vocabBos(vocab));
    this.eos = optional(llama.vocabEos(vocab));
    this.unk = this.#findUnknown();
  }

  /**
   * Reads the tokenizer of the GGUF file at `path`. Throws MODEL_NOT_FOUND, GGUF_MALFORMED with libllama's complaint,
   * TOKENIZER_UNSUPPORTED for a file without a tokenizer or with one that libllama doesn't support. `partLength`: most
   * UTF-16 units of a text, about, that libllama gets at a time.
   */
  static open(engine: Engine, path: string, { partLength = PART_LENGTH } = {}): Vocabulary {
    const { log, llama: load } = engine[native];
    const llama = load();
    if (!existsSync(path)) throw new RhoneError("MODEL_NOT_FOUND", `There is no file ${path}.`);
    const params = { ...llama.modelDefaultParams(), vocab_only: true };
    const { result, complaints } = log.capture(() => llama.modelLoadFromFile(path, params));
    if (result === null) throw loadFailure(path, complaints);
    if (llama.vocabType(llama.modelGetVocab(result)) === VOCAB_TYPE_NONE) {
      llama.modelFree(result);
      throw new RhoneError(
        "TOKENIZER_UNSUPPORTED",
        `${path} has no tokenizer. Convert the model again with its tokenizer file beside it.`,
      );
    }
    return new Vocabulary(llama, result, { partLength, isBorrowed: false });
  }

  /**
   * The vocabulary that another thread opened and shares. That one is closed only after this thread has ended or uses
   * it no more; closing this one frees nothing.
   */
  static borrow(engine: Engine, shared: SharedVocabulary): Vocabulary {
    return new Vocabulary(engine[native].llama(), shared, { partLength: PART_LENGTH, isBorrowed: true });
  }

  get shared(): SharedVocabulary {
    return this.#model as SharedVocabulary;
  }

  /**
   * The token ids of `text`. Half a surrogate pair is read as U+FFFD, as UTF-8 encoders do. A long text goes to
   * libllama in parts, which gives the same ids in time that grows with its length; libllama alone takes 10 s for
   * 400 KB of line feeds.
   */
  tokenize(text: string, options: TokenizeOptions): Int32Array {
    this.#checkOpen();
    if (text.length <= this.#partLength) return this.#tokenize(text, options);
    this.#parts ??= this.#readParts();
    return this.#parts.tokenize(Buffer.from(text, "utf8").toString("utf8"), options);
  }

  #readParts(): TextParts {
    const tokenize = (part: string, options: TokenizeOptions) => this.#tokenize(part, options);
    return TextParts.of({ llama: this.#llama, vocab: this.#vocab }, { tokenize, length: this.#partLength });
  }

  #tokenize(text: string, { addSpecial, parseSpecial }: TokenizeOptions): Int32Array {
    // At least one byte, since an empty view has no address.
    const bytes = Buffer.from(`${text}\0`, "utf8");
    const length = bytes.byteLength - 1;
    const room = new Int32Array(length + SURPLUS_TOKENS);
    const into = (ids: Int32Array) =>
      this.#llama.tokenize(this.#vocab, bytes, length, ids, ids.length, addSpecial, parseSpecial);
    const count = into(room);
    if (count >= 0) return room.slice(0, count);
    const larger = new Int32Array(-count);
    const needed = into(larger);
    if (needed < 0)
      throw new RhoneError("GGML_FAILED", `libllama can't count the tokens of a text of ${length} bytes.`);
    return larger.slice(0, needed);
  }

  /**
   * The bytes of token `id`, which are often not whole UTF-8 characters; none for control tokens unless `special`.
   * Throws INVALID_REQUEST for an id outside the vocabulary.
   */
  pieceBytes(id: number, { special }: { readonly special: boolean }): Buffer {
    this.#check(id);
    const count = this.#llama.tokenToPiece(this.#vocab, id, this.#piece, this.#piece.length, 0, special);
    if (count >= 0) return Buffer.from(this.#piece.subarray(0, count));
    const larger = Buffer.alloc(-count);
    return larger.subarray(0, this.#llama.tokenToPiece(this.#vocab, id, larger, larger.length, 0, special));
  }

  /** Whether `id` ends a generation, as EOS and end-of-turn tokens do. */
  isEndOfGeneration(id: number): boolean {
    this.#check(id);
    return this.#llama.vocabIsEog(this.#vocab, id);
  }

  /** The control tokens, and those for unknown text. */
  controlTokens(): readonly ControlToken[] {
    this.#checkOpen();
    const tokens: ControlToken[] = [];
    for (let id = 0; id < this.size; id++) {
      const attributes = this.#llama.vocabGetAttr(this.#vocab, id);
      if ((attributes & (TOKEN_ATTR_CONTROL | TOKEN_ATTR_UNKNOWN)) === 0) continue;
      tokens.push({
        id,
        name: this.#llama.vocabGetText(this.#vocab, id),
        takesBefore: (attributes & TOKEN_ATTR_LSTRIP) !== 0,
        takesAfter: (attributes & TOKEN_ATTR_RSTRIP) !== 0,
      });
    }
    return tokens;
  }

  isControl(id: number): boolean {
    this.#check(id);
    return this.#llama.vocabIsControl(this.#vocab, id);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (!this.#isBorrowed) this.#llama.modelFree(this.#model);
  }

  #findUnknown(): number | undefined {
    for (let id = 0; id < this.size; id++) {
      if ((this.#llama.vocabGetAttr(this.#vocab, id) & TOKEN_ATTR_UNKNOWN) !== 0) return id;
    }
    return undefined;
  }

  #checkOpen(): void {
    if (!this.#open) throw new RhoneError("GGML_FAILED", "A vocabulary was used after it was closed.");
  }

  #check(id: number): void {
    this.#checkOpen();
    if (Number.isInteger(id) && id >= 0 && id < this.size) return;
    throw new RhoneError("INVALID_REQUEST", `Token id ${id} is outside the vocabulary of 0 to ${this.size - 1}.`);
  }
}

function loadFailure(path: string, complaints: string): RhoneError {
  const unsupported = /unknown (pre-)?tokenizer|loading model vocabulary|tokenizer\.ggml/i.test(complaints);
  return new RhoneError(
    unsupported ? "TOKENIZER_UNSUPPORTED" : "GGUF_MALFORMED",
    `${path} can't be read: ${complaints || "libllama gave no reason"}.`,
  );
}
