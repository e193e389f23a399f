/** The numbers under `<architecture>.*` that give the tensors their shapes, under Mistral's names. */
export interface HyperParameters {
  /** Width of the hidden state. */
  readonly dim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  /** Divides nHeads; equal to it without grouped-query attention. */
  readonly nKvHeads: number;
  readonly headDim: number;
  /** Width inside the feed-forward network. */
  readonly hiddenDim: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  /** How many elements of a head are rotated: all of them, headDim. */
  readonly ropeDim: number;
  /** Positions that the model was trained for. */
  readonly contextLength: number;
}

/**
 * How positions are stretched beyond the trained context. linear: every position is divided by `factor`.
 * frequency-factors: Llama 3's, one divisor per rotated pair, from the f32 tensor `rope_freqs.weight` [ropeDim / 2].
 */
export type RopeScaling =
  | { readonly kind: "none" }
  | { readonly kind: "linear"; readonly factor: number }
  | { readonly kind: "frequency-factors" };

/** Everything that the tensors of a model depend on. */
export interface ModelShape extends HyperParameters {
  readonly vocabSize: number;
  readonly ropeScaling: RopeScaling;
  /** Positions that attention sees, itself included; 0 without a window. */
  readonly slidingWindow: number;
  /** The head is the token embedding: the file has no `output.weight`. */
  readonly tiedEmbeddings: boolean;
}

/** Which part of the model a stage holds: layers [first, last), and what comes before and after all layers. */
export interface ShardRange {
  readonly first: number;
  readonly last: number;
  /** Turns token ids into hidden states: the first stage. */
  readonly embeds: boolean;
  /** Final norm and logits: the last stage. */
  readonly heads: boolean;
}

export const wholeModel = ({ nLayers }: Pick<ModelShape, "nLayers">): ShardRange => ({
  first: 0,
  last: nLayers,
  embeds: true,
  heads: true,
});

/** Width of all queries of a row. */
export const queryDim = ({ nHeads, headDim }: ModelShape): number => nHeads * headDim;

/** Width of all keys of a row, and of all values. */
export const kvDim = ({ nKvHeads, headDim }: ModelShape): number => nKvHeads * headDim;
