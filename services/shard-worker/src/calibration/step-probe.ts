import { rhone } from "@rhone/proto";
import type { LayerWeights } from "../model/load-weights.js";
import { Stage, type StageOptions } from "../stage/stage.js";

type Step = rhone.v1.Step.$Properties;

/** Positions that each row sees, where the pages allow: a short conversation. */
const CONTEXT = 128;

/** Runs decode steps of invented sequences over some of a shard's layers, beside the stage that serves. */
export class StepProbe {
  readonly #options: StageOptions;
  readonly #layers: readonly (readonly [number, LayerWeights])[];
  /** What the stage takes for the shard's layers. */
  readonly #window: Map<number, LayerWeights>;
  readonly #stage: Stage;
  #next = 0;

  constructor(options: StageOptions) {
    const { weights } = options.shard;
    this.#options = options;
    this.#layers = [...weights.layers];
    this.#window = new Map(weights.layers);
    const shard = { ...options.shard, weights: { ...weights, layers: this.#window } };
    // Without the head, so that every row goes through every layer to its end.
    this.#stage = new Stage({ ...options, heads: false, shard });
  }

  get layers(): number {
    return this.#layers.length;
  }

  /** Milliseconds of one step of `rows` rows over the next `layers` layers in turn. */
  async time(rows: number, layers: number): Promise<number> {
    this.#moveWindow(layers);
    const step = this.#step(rows);
    const startedAt = performance.now();
    await this.#stage.run(step, rhone.v1.ActivationType.ACTIVATION_F16);
    return performance.now() - startedAt;
  }

  close(): void {
    this.#stage.close();
  }

  #moveWindow(layers: number): void {
    this.#window.clear();
    for (let i = 0; i < layers; i++) {
      const layer = this.#layers[this.#next++ % this.#layers.length];
      if (layer !== undefined) this.#window.set(...layer);
    }
  }

  /** Each sequence at its position CONTEXT - 1. Pages are scattered, as those of sequences that grow side by side. */
  #step(rows: number): Step {
    const { pages, pageSize } = this.#options.shard.pages.shape;
    const perSequence = Math.min(pages, Math.ceil(CONTEXT / pageSize));
    const sequences = Array.from({ length: rows }, (_, index) => index + 1);
    const spans = sequences.map((sequence, index) => ({
      sequence,
      position: Math.min(CONTEXT, perSequence * pageSize) - 1,
      count: 1,
      firstPage: 0,
      pages: Array.from({ length: perSequence }, (_, page) => (page * rows + index) % pages),
    }));
    const opens = sequences.map((sequence) => ({ sequence }));
    return { opens, spans, closes: sequences, ...this.#input(rows) };
  }

  /** Token ids of the vocabulary, or a hidden state of zeros: K and V stay finite either way. */
  #input(rows: number): Pick<Step, "tokens" | "hidden" | "hiddenType"> {
    const { embeds, shard } = this.#options;
    const { vocabSize, dim } = shard.config;
    if (!embeds) return { hidden: new Uint8Array(rows * dim * 2), hiddenType: rhone.v1.ActivationType.ACTIVATION_F16 };
    return { tokens: new Uint8Array(Int32Array.from({ length: rows }, (_, index) => index % vocabSize).buffer) };
  }
}
