import { join } from "node:path";
import { GgmlType } from "@rhone/ggml";
import type { Architecture } from "../architectures/architecture.js";
import type { ModelShape } from "../architectures/model-shape.js";
import { configMetadata } from "../config/config-metadata.js";
import { GgufWriter } from "../gguf/gguf-writer.js";
import { planTensors } from "../quantization/quantization.js";
import { scratchFolder } from "./scratch-folder.js";

/** The same numbers in [-1, 1) for the same seed: a linear congruential generator. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

export const TINY_SHAPE: ModelShape = {
  dim: 32,
  nLayers: 2,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 16,
  hiddenDim: 64,
  vocabSize: 40,
  normEps: 1e-6,
  ropeTheta: 10_000,
  ropeDim: 16,
  ropeScaling: { kind: "none" },
  contextLength: 256,
  slidingWindow: 0,
  tiedEmbeddings: false,
};

export interface RandomModel {
  readonly path: string;
  /** The numbers of each tensor, by its name in the file, row by row. */
  readonly numbers: ReadonlyMap<string, Float32Array>;
}

/**
 * Writes a model of an architecture, optional tensors included, whose f32 weights are random: norms near 1, others near
 * 0.
 */
export async function writeRandomModel(
  model: ModelShape & { readonly architecture: Architecture },
  seed: number,
): Promise<RandomModel> {
  const random = randomNumbers(seed);
  const path = join(await scratchFolder(), "random.gguf");
  const tensors = planTensors(model, "f32", () => true).map((tensor) => ({ ...tensor, type: GgmlType.F32 }));
  const metadata = configMetadata({ ...model, name: "random" });
  const writer = await GgufWriter.create(path, { metadata, tensors });
  const numbers = new Map<string, Float32Array>();
  for (const { name, ne, kind } of tensors) {
    const length = ne.reduce((product, extent) => product * extent, 1);
    const scale = kind === "matrix" ? 1 / Math.sqrt(ne[0] ?? 1) : 0.25;
    const values = new Float32Array(length); // from() is ten times slower
    for (let i = 0; i < length; i++) values[i] = (kind === "norm" ? 1 : 0) + scale * random();
    numbers.set(name, values);
    await writer.write(name, new Uint8Array(values.buffer));
  }
  await writer.commit();
  return { path, numbers };
}
