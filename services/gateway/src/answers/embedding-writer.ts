import { madeList } from "../write-in-turns.js";
import { UsageCount } from "./answer-frame.js";
import { completionsDialect } from "./dialect.js";
import type { ChoiceEvent, Writer } from "./writer.js";

export interface EmbeddingWriterOptions {
  readonly id: string;
  readonly modelName: string;
  readonly inputs: number;
  readonly encoding: "float" | "base64";
}

/** Writes /v1/embeddings: one vector per input, in the order of the inputs. */
export class EmbeddingWriter implements Writer {
  readonly dialect = completionsDialect;
  readonly #options: EmbeddingWriterOptions;
  /** base64 of f32 little-endian [dim], by input. */
  readonly #vectors: string[];
  readonly #usage = new UsageCount(1);

  constructor(options: EmbeddingWriterOptions) {
    this.#options = options;
    this.#vectors = Array<string>(options.inputs).fill("");
  }

  get usage() {
    return this.#usage.toJson();
  }

  take({ choice, event }: ChoiceEvent): readonly string[] {
    if (event.embedding !== undefined) this.#vectors[choice] = event.embedding;
    if (event.usage !== undefined) this.#usage.add(choice, event.usage);
    return [];
  }

  end(): readonly string[] {
    return [];
  }

  async whole(): Promise<unknown> {
    const { id, modelName, encoding } = this.#options;
    const vectors = this.#vectors;
    const data = madeList(function* () {
      for (const [index, vector] of vectors.entries())
        yield { object: "embedding", index, embedding: encoding === "base64" ? vector : floatsOf(vector) };
    });
    return { id, object: "list", data, model: modelName, pooling: "mean", normalized: true, usage: this.usage };
  }
}

function floatsOf(base64: string): number[] {
  return [...new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer)];
}
