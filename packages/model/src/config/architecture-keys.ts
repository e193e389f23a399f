import { RhoneError } from "@rhone/common/rhone-error";
import type { GgufFile } from "../gguf/gguf-file.js";
import { metadataNumber, metadataString } from "../gguf/metadata.js";

/** The metadata of a file under its architecture's prefix: `count("block_count")` reads `llama.block_count`. */
export class ArchitectureKeys {
  readonly path: string;
  readonly #file: Pick<GgufFile, "path" | "metadata">;
  readonly #prefix: string;

  constructor(file: Pick<GgufFile, "path" | "metadata">, prefix: string) {
    this.path = file.path;
    this.#file = file;
    this.#prefix = prefix;
  }

  /** The whole key, for messages. */
  key(suffix: string): string {
    return `${this.#prefix}.${suffix}`;
  }

  /** Undefined when the key is absent. Throws GGUF_MALFORMED when it is no text. */
  string(suffix: string): string | undefined {
    return metadataString(this.#file, this.key(suffix));
  }

  /** Undefined when the key is absent. Throws GGUF_MALFORMED when it is no number. */
  number(suffix: string): number | undefined {
    return metadataNumber(this.#file, this.key(suffix));
  }

  /**
   * A whole number above 0. Throws GGUF_MALFORMED naming the key; also when it is absent and nothing is given instead.
   */
  count(suffix: string, otherwise?: number): number {
    const value = this.positive(suffix, otherwise);
    if (Number.isInteger(value)) return value;
    throw this.malformed(suffix, `is ${value}, not a whole number`);
  }

  /** A number above 0. Throws as `count` does. */
  positive(suffix: string, otherwise?: number): number {
    const value = this.number(suffix) ?? otherwise;
    if (value === undefined) throw this.malformed(suffix, "is missing");
    if (Number.isFinite(value) && value > 0) return value;
    throw this.malformed(suffix, `is ${value}, but must be above 0`);
  }

  malformed(suffix: string, fault: string): RhoneError {
    return new RhoneError("GGUF_MALFORMED", `${this.path}: ${this.key(suffix)} ${fault}.`);
  }
}
