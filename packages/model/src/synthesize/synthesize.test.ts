import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { dequantize, GgmlType, openEngine, rowSize, Vocabulary } from "@rhone/ggml";
import { describe, expect, test } from "vitest";
import { wholeModel } from "../architectures/model-shape.js";
import { readModelConfig } from "../config/model-config.js";
import { tensorsOfShard } from "../config/shard-tensors.js";
import { openGguf } from "../gguf/open-gguf.js";
import { readTensorBytes } from "../gguf/read-tensor-bytes.js";
import { QUANTIZATIONS } from "../quantization/quantization.js";
import { scratchFolder } from "../testing/scratch-folder.js";
import { presetConfig } from "./presets.js";
import { blockShaper } from "./random-blocks.js";
import { RandomBytes } from "./random-weights.js";
import { type SynthesizeRequest, synthesize } from "./synthesize.js";

const engine = openEngine();

async function make(request: Partial<SynthesizeRequest> = {}) {
  const out = join(await scratchFolder(), "synth.gguf");
  await synthesize({ preset: "tiny", type: "q4_0", seed: 1, out, ...request });
  return openGguf(out);
}

test.each([
  ["F32", GgmlType.F32],
  ["F16", GgmlType.F16],
  ["BF16", GgmlType.BF16],
  ["Q8_0", GgmlType.Q8_0],
  ["Q5_0", GgmlType.Q5_0],
  ["Q4_0", GgmlType.Q4_0],
  ["Q4_1", GgmlType.Q4_1],
  ["Q4_K", GgmlType.Q4_K],
  ["Q6_K", GgmlType.Q6_K],
])("random %s weights have the mean and the spread that were asked for", (_, type) => {
  const size = 256 * 400;
  const bytes = new RandomBytes("seed").take(new Uint8Array(rowSize(type, size)));
  blockShaper(type, 0.02)(bytes);
  const numbers = dequantize(engine, type, bytes);
  const mean = numbers.reduce((sum, value) => sum + value, 0) / size;
  const variance = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size;
  expect(Math.abs(mean)).toBeLessThan(0.0003);
  expect(Math.sqrt(variance)).toBeGreaterThan(0.0196);
  expect(Math.sqrt(variance)).toBeLessThan(0.0204);
  expect(new Set(numbers).size).toBeGreaterThan(15);
});

describe("synthesize", () => {
  test.each(QUANTIZATIONS)("writes a whole %s model that libllama's tokenizer loads", async (type) => {
    const file = await make({ type });
    const config = readModelConfig(file);
    expect(tensorsOfShard(config, file, wholeModel(config))).toHaveLength(4 * 9 + 3);
    const vocabulary = Vocabulary.open(engine, file.path);
    const ids = vocabulary.tokenize("Hello, 42 ☺", { addSpecial: true, parseSpecial: false });
    const text = Buffer.concat(
      Array.from(ids.slice(1), (id) => vocabulary.pieceBytes(id, { special: false })),
    ).toString();
    vocabulary.close();
    expect(text).toBe(" Hello, 42 ☺");
  });

  test("depends on the seed only, and gives a layer the same weights at any depth", async () => {
    const [one, same, other] = [await make(), await make(), await make({ seed: 2 })];
    expect((await readFile(same.path)).equals(await readFile(one.path))).toBe(true);
    const shallow = await make({ layers: 2 });
    const layerOf = async (path: string) => {
      const info = (await openGguf(path)).tensors.get("blk.1.attn_q.weight");
      if (info === undefined) throw new Error(path);
      const handle = await open(path);
      const bytes = await readTensorBytes(handle, info);
      await handle.close();
      return createHash("sha256").update(bytes).digest("hex");
    };
    expect(await layerOf(shallow.path)).toBe(await layerOf(one.path));
    expect(await layerOf(other.path)).not.toBe(await layerOf(one.path));
  });

  test("can tie the embeddings", async () => {
    expect(readModelConfig(await make({ preset: "tiny-tied", type: "q4_k" }))).toMatchObject({
      tiedEmbeddings: true,
      slidingWindow: 32,
    });
  });

  test.each([
    [{ preset: "mistral-7" }, /choose mistral-7b/],
    [{ preset: "toString" }, /no preset toString/],
    [{ layers: 0 }, /0 layers/],
    [{ layers: 1.5 }, /1.5 layers/],
  ])("refuses %o", async (request, message) => {
    await expect(make(request)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(message),
    });
  });
});

test("smollm2-135m is SmolLM2-135M", () => {
  const { dim, nHeads, headDim, hiddenDim, vocabSize, tiedEmbeddings } = presetConfig("smollm2-135m");
  expect([dim, nHeads * headDim, hiddenDim, vocabSize, tiedEmbeddings]).toEqual([576, 576, 1536, 49_152, true]);
});

test("mistral-7b is Mistral 7B", () => {
  expect(presetConfig("mistral-7b")).toMatchObject({
    dim: 4096,
    nLayers: 32,
    nKvHeads: 8,
    hiddenDim: 14_336,
    slidingWindow: 4096,
  });
});
