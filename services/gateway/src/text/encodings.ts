import type { ModelConfig } from "@rhone/model";
import { mapInTurns } from "../turns.js";
import { contextExceeded } from "./context-exceeded.js";
import { type Encoded, type Encoder, type EncoderOptions, encode, type Source, sizeOf } from "./encoder.js";
import { type EncodeLimits, type EncoderThread, encoderThread } from "./encoder-thread.js";

/** Texts of at most this size are encoded at once: it takes less than a millisecond, and a thread not much less. */
const AT_ONCE = 2048;
/** Larger sources have a thread of their own, so that they delay none of the others. */
const LARGE = 65_536;

export interface EncodeOptions {
  /** Begin with BOS if the model wants it. Default: true. */
  readonly addSpecial?: boolean;
  /** Only the last ids are wanted, this many; the text may then be longer than the context. Default: all. */
  readonly last?: number | undefined;
  /** The field by which a refusal calls a text. Default: "prompt". */
  readonly paramOf?: (text: number) => string;
  /** The name of the API key: those who wait take turns by it. Default: "". */
  readonly owner?: string;
}

export interface EncodingsOptions {
  /** For small sources; borrowed. */
  readonly encoder: Encoder;
  /** What the threads' encoders are opened with. */
  readonly source: EncoderOptions;
  readonly limits: EncodeLimits;
  readonly config: Pick<ModelConfig, "contextLength">;
}

/** Decides where a source is encoded: refused by its size, at once, or in one of two threads. */
export class Encodings {
  readonly #options: EncodingsOptions;
  readonly #small: EncoderThread;
  readonly #large: EncoderThread;
  /** In bytes. Sought before the first request: 131,072 tokens take 40 ms, and ten times that beside busy threads. */
  readonly #longestPiece: number;

  constructor(options: EncodingsOptions) {
    const { source, limits } = options;
    this.#options = options;
    this.#small = encoderThread(source, limits);
    this.#large = encoderThread(source, limits);
    this.#longestPiece = longestPiece(options.encoder);
  }

  /** `last`: how many ids are wanted, from the end; what is too long is refused without it. Throws as TextModel. */
  async encode(
    source: Source,
    { last, owner = "", paramOf = () => "prompt" }: Omit<EncodeOptions, "addSpecial">,
  ): Promise<Encoded> {
    const { encoder, limits } = this.#options;
    const size = sizeOf(source);
    const runsTemplate = source.kind === "chat" && encoder.template.source !== undefined;
    if (size <= AT_ONCE && !runsTemplate) return encode(encoder, source, last);
    if (last === undefined) this.#checkFits(leastTokens(source, this.#longestPiece), { isLeast: true, paramOf });
    const thread = size <= LARGE ? this.#small : this.#large;
    const ids = await thread.ask(owner, { source, last }, { ms: limits.timeoutMs });
    const lengths = ids.map(({ length }) => length);
    // What else than the contents is encoded is the template's to say: of a name, 2 million ids took 0.35 s to copy.
    if (last === undefined) this.#checkFits(lengths, { isLeast: false, paramOf });
    return mapInTurns(ids, (each) => [...each]);
  }

  /** Ends the threads. The encoder, which they borrow, may be closed afterwards. */
  async close(): Promise<void> {
    await Promise.all([this.#small.close(), this.#large.close()]);
  }

  #checkFits(tokensOf: readonly number[], { isLeast, paramOf }: CheckedTokens): void {
    const { contextLength } = this.#options.config;
    for (const [index, tokens] of tokensOf.entries()) {
      if (tokens > contextLength) throw contextExceeded({ param: paramOf(index), tokens, isLeast, contextLength });
    }
  }
}

interface CheckedTokens {
  readonly isLeast: boolean;
  readonly paramOf: (text: number) => string;
}

/** A token stands for at most the longest piece's bytes, and each UTF-16 unit takes at least one byte. */
const leastTokens = (source: Source, longestPiece: number): readonly number[] =>
  lengthsOf(source).map((length) => Math.ceil(length / longestPiece));

/** Lengths of what has to fit the context, each on its own. */
function lengthsOf(source: Source): readonly number[] {
  if (source.kind === "gaps") return source.befores.map(({ length }) => length + source.after.length);
  if (source.kind === "texts") return source.texts.map(({ length }) => length);
  return [source.messages.reduce((sum, { content }) => sum + (content ?? "").length, 0)];
}

function longestPiece({ vocabulary }: Encoder): number {
  let longest = 1;
  for (let id = 0; id < vocabulary.size; id++) {
    longest = Math.max(longest, vocabulary.pieceBytes(id, { special: true }).byteLength);
  }
  return longest;
}
