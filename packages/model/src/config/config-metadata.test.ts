import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ModelShape } from "../architectures/model-shape.js";
import { gguf } from "../gguf/gguf-value.js";
import { GgufWriter } from "../gguf/gguf-writer.js";
import { openGguf } from "../gguf/open-gguf.js";
import { qwenLike } from "../testing/qwen-like.js";
import { TINY_SHAPE } from "../testing/random-model.js";
import { scratchFolder } from "../testing/scratch-folder.js";
import { configMetadata } from "./config-metadata.js";
import { type ModelConfig, readModelConfig } from "./model-config.js";

/** A file that holds a configuration, and of the tensors only the embedding and the head. */
async function writtenAndRead(shape: ModelShape): Promise<ModelConfig> {
  const path = join(await scratchFolder(), "config.gguf");
  const embedding = { name: "token_embd.weight", type: 0, ne: [1, shape.vocabSize] } as const;
  const head = { ...embedding, name: "output.weight" };
  const tensors = shape.tiedEmbeddings ? [embedding] : [embedding, head];
  const metadata = configMetadata({ ...shape, architecture: qwenLike, name: "some" });
  const writer = await GgufWriter.create(path, { metadata, tensors });
  for (const { name } of tensors) await writer.write(name, new Uint8Array(shape.vocabSize * 4));
  await writer.commit();
  return readModelConfig(await openGguf(path), { architectures: [qwenLike] });
}

const shapes: fc.Arbitrary<ModelShape> = fc
  .record({
    nKvHeads: fc.integer({ min: 1, max: 4 }),
    shared: fc.integer({ min: 1, max: 4 }),
    halfHeadDim: fc.integer({ min: 1, max: 64 }),
    extraDim: fc.constantFrom(0, 1, 48),
    nLayers: fc.integer({ min: 1, max: 99 }),
    hiddenDim: fc.integer({ min: 1, max: 30_000 }),
    vocabSize: fc.integer({ min: 1, max: 200 }),
    contextLength: fc.integer({ min: 2, max: 1 << 20 }),
    window: fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
    factor: fc.constantFrom(undefined, 2, 4.5),
    tiedEmbeddings: fc.boolean(),
  })
  .map(({ shared, halfHeadDim, extraDim, window, factor, ...rest }) => {
    const nHeads = rest.nKvHeads * shared;
    const headDim = 2 * halfHeadDim;
    return {
      ...rest,
      nHeads,
      headDim,
      ropeDim: headDim,
      dim: nHeads * headDim + extraDim,
      normEps: Math.fround(1e-6),
      ropeTheta: 1_000_000,
      ropeScaling: factor === undefined ? { kind: "none" } : { kind: "linear", factor },
      slidingWindow: window !== undefined && window < rest.contextLength ? window : 0,
    };
  });

test("every configuration is read back as it was written", async () => {
  await fc.assert(
    fc.asyncProperty(shapes, async (shape) => {
      expect(await writtenAndRead(shape)).toMatchObject({
        ...shape,
        architecture: { name: "qwen-like" },
        name: "some",
      });
    }),
    { numRuns: 100 },
  );
});

test("keys carry the architecture's prefix, and only the necessary ones are written", () => {
  const plain = { ...TINY_SHAPE, dim: 64, architecture: qwenLike, name: "some" };
  const metadata = configMetadata(plain);
  expect(metadata.get("general.architecture")).toEqual(gguf.string("qwen-like"));
  expect([...metadata.keys()].filter((key) => !/^(general|qwen-like)\./.test(key))).toEqual([]);
  const optional = ["attention.key_length", "attention.value_length", "attention.sliding_window", "rope.scaling.type"];
  expect(optional.filter((key) => metadata.has(`qwen-like.${key}`))).toEqual([]);
  // Heads that are not dim / nHeads wide need their length in the file.
  expect(configMetadata({ ...plain, headDim: 20 }).get("qwen-like.attention.key_length")).toEqual(gguf.u32(20));
});
