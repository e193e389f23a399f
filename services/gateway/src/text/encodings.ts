import { RhoneError } from "@rhone/common";
import type { ModelConfig } from "@rhone/model";
import { type Encoded, type Encoder, type EncoderOptions, encode, type Source, sizeOf } from "./encoder.js";
import { type EncodeLimits, EncoderThread } from "./encoder-thread.js";

/** Texts of at most this size are encoded at once: it takes less than a millisecond, and a thread not much less. */
const AT_ONCE = 2048;
/** Larger sources have a thread of their own, so that they delay none of the others. */
const LARGE = 65_536;

export interface EncodingsOptions {
  /** For small sources; borrowed. */
  readonly encoder: Encoder;
  /** What the threads' encoders are opened with. */
  readonly source: EncoderOptions;
  readonly limits: EncodeLimits;
  readonly config: Pick<ModelConfig, "contextLength" | "name">;
}

/** Decides where a source is encoded: refused by its size, at once, or in one of two threads. */
export class Encodings {
  readonly #options: EncodingsOptions;
  readonly #small: EncoderThread;
  readonly #large: EncoderThread;
  #longestPiece: number | undefined;

  constructor(options: EncodingsOptions) {
    const { source, limits } = options;
    this.#options = options;
    this.#small = new EncoderThread(source, limits);
    this.#large = new EncoderThread(source, limits);
  }

  /** `last`: how many ids are wanted, from the end; what is too long is refused without it. Throws as TextModel. */
  async encode(
    source: Source,
    { last, param = "prompt" }: { readonly last?: number | undefined; readonly param?: string },
  ): Promise<Encoded> {
    const { encoder } = this.#options;
    const size = sizeOf(source);
    const runsTemplate = source.kind === "chat" && encoder.template.name === "jinja";
    if (size <= AT_ONCE && !runsTemplate) return encode(encoder, source, last);
    if (last === undefined) this.#checkFits(source, param);
    return (size <= LARGE ? this.#small : this.#large).encode(source, last);
  }

  close(): void {
    this.#small.close();
    this.#large.close();
  }

  /** A token stands for at most the longest piece's bytes, and each UTF-16 unit takes at least one byte. */
  #checkFits(source: Source, param: string): void {
    const { contextLength, name } = this.#options.config;
    this.#longestPiece ??= longestPiece(this.#options.encoder);
    const most = contextLength * this.#longestPiece;
    const length = Math.max(...lengthsOf(source));
    if (length <= most) return;
    const message =
      `The prompt has ${length} characters. ${name} has a context of ${contextLength} tokens, which hold ` +
      `${most} characters at most; shorten it.`;
    throw new RhoneError("CONTEXT_LENGTH_EXCEEDED", message, { param });
  }
}

/** Lengths of what has to fit the context, each on its own. */
function lengthsOf(source: Source): readonly number[] {
  if (source.kind === "gap") return [source.before.length + source.after.length];
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
