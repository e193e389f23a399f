import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { dequantize, GgmlType, openEngine } from "@rhone/ggml";
import { describe, expect, test } from "vitest";
import { readModelConfig } from "../config/model-config.js";
import type { GgufFile } from "../gguf/gguf-file.js";
import { openGguf } from "../gguf/open-gguf.js";
import { readTensorBytes } from "../gguf/read-tensor-bytes.js";
import type { Quantization } from "../quantization/quantization.js";
import {
  CONFIG,
  encodeSafetensors,
  encodeSentencePiece,
  numbersOf,
  PIECES,
  SHAPES,
  writeCheckpoint,
} from "../testing/checkpoint.js";
import { scratchFolder } from "../testing/scratch-folder.js";
import { type ConvertRequest, convertCheckpoint } from "./convert-checkpoint.js";

const engine = openEngine();

async function convert(files: Readonly<Record<string, unknown>>, request: Partial<ConvertRequest> = {}) {
  const dir = await writeCheckpoint(files);
  const folder = await scratchFolder();
  const out = join(folder, "out.gguf");
  const run = () => convertCheckpoint(engine, { dir, out, type: "f32", tokenizer: "none", name: "some", ...request });
  return { run, out, leftovers: () => readdir(folder) };
}

async function numbersIn(file: GgufFile, name: string): Promise<number[]> {
  const info = file.tensors.get(name);
  if (info === undefined) throw new Error(name);
  const handle = await open(file.path);
  const bytes = await readTensorBytes(handle, info);
  await handle.close();
  return Array.from(dequantize(engine, info.type, bytes));
}

const whole = { "config.json": CONFIG, "model.safetensors": encodeSafetensors(SHAPES) };

describe("convertCheckpoint", () => {
  test.each(["F32", "F16", "BF16"] as const)(
    "keeps %s numbers exactly and interleaves the heads of q and k",
    async (dtype) => {
      const { run, out } = await convert({ ...whole, "model.safetensors": encodeSafetensors(SHAPES, dtype) });
      expect(await run()).toBe((await openGguf(out)).fileBytes);
      const file = await openGguf(out);
      expect(await numbersIn(file, "blk.0.ffn_down.weight")).toEqual(numbersOf([8, 16]));
      const firstColumn = (numbers: number[]) => numbers.filter((_, index) => index % 8 === 0);
      expect(firstColumn(await numbersIn(file, "blk.0.attn_q.weight"))).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
      expect(firstColumn(await numbersIn(file, "blk.0.attn_k.weight"))).toEqual([0, 2, 1, 3]);
      expect(firstColumn(await numbersIn(file, "blk.0.attn_v.weight"))).toEqual([0, 1, 2, 3]);
    },
  );

  test("carries the hyper-parameters over", async () => {
    const { run, out } = await convert(whole);
    await run();
    expect(readModelConfig(await openGguf(out))).toMatchObject({
      name: "some",
      dim: 8,
      nLayers: 1,
      nHeads: 2,
      nKvHeads: 1,
      headDim: 4,
      hiddenDim: 16,
      vocabSize: 6,
      slidingWindow: 16,
      contextLength: 64,
      tiedEmbeddings: false,
      tokenizer: { model: undefined },
    });
  });

  test("reads shards through their index, and tells progress", async () => {
    const entries = Object.entries(SHAPES);
    const [first, second] = [entries.slice(0, 5), entries.slice(5)].map((part) => Object.fromEntries(part));
    const weightMap = Object.fromEntries(
      entries.map(([name], index) => [name, index < 5 ? "a.safetensors" : "b.safetensors"]),
    );
    const seen: number[] = [];
    const { run, out } = await convert(
      {
        "config.json": CONFIG,
        "model.safetensors.index.json": { weight_map: weightMap },
        "a.safetensors": encodeSafetensors(first ?? {}),
        "b.safetensors": encodeSafetensors(second ?? {}),
      },
      { onProgress: ({ tensors }) => seen.push(tensors) },
    );
    await run();
    expect((await openGguf(out)).tensors.size).toBe(12);
    expect(seen).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  });

  test("keeps tied embeddings tied, whether or not the checkpoint repeats them", async () => {
    for (const names of [Object.keys(SHAPES), Object.keys(SHAPES).slice(0, -1)]) {
      const shapes = Object.fromEntries(names.map((name) => [name, SHAPES[name] ?? []]));
      const { run, out } = await convert({
        "config.json": { ...CONFIG, tie_word_embeddings: true },
        "model.safetensors": encodeSafetensors(shapes),
      });
      await run();
      expect(readModelConfig(await openGguf(out)).tiedEmbeddings).toBe(true);
    }
  });

  test("writes Llama 3's RoPE factors: 1 for fast pairs, the factor for slow ones", async () => {
    const rope = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
      rope_theta: 500_000,
    };
    const shapes = { ...SHAPES };
    const config = { ...CONFIG, architectures: ["LlamaForCausalLM"], rope_parameters: rope, sliding_window: null };
    const { run, out } = await convert({ "config.json": config, "model.safetensors": encodeSafetensors(shapes) });
    await run();
    const file = await openGguf(out);
    expect(readModelConfig(file)).toMatchObject({ ropeTheta: 500_000, ropeScaling: { kind: "frequency-factors" } });
    const [fast, slow] = await numbersIn(file, "rope_freqs.weight");
    expect(fast).toBe(1);
    // wavelength 2π √500000 = 4442.9: smooth = (8192/4442.9 - 1) / 3 = 0.28128, 1 / (0.71872/8 + 0.28128) = 2.6945
    expect(slow).toBeCloseTo(2.6945, 3);
  });

  const wide = { ...CONFIG, hidden_size: 256, intermediate_size: 512, head_dim: 128, num_attention_heads: 2 };
  const WIDE_SHAPES = Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => [
      name,
      shape.map((extent) => ({ 8: 256, 4: 128, 16: 512 })[extent] ?? extent),
    ]),
  );

  test.each<[Quantization, number, number]>([
    ["f16", GgmlType.F16, GgmlType.F16],
    ["bf16", GgmlType.BF16, GgmlType.BF16],
    ["q8_0", GgmlType.Q8_0, GgmlType.Q8_0],
    ["q4_0", GgmlType.Q4_0, GgmlType.Q6_K],
    ["q4_k", GgmlType.Q4_K, GgmlType.Q6_K],
  ])("stores %s with norms in F32 and the head as llama.cpp does", async (type, matrix, head) => {
    const { run, out } = await convert(
      { "config.json": wide, "model.safetensors": encodeSafetensors(WIDE_SHAPES, "BF16") },
      { type },
    );
    await run();
    const { tensors } = await openGguf(out);
    expect(tensors.get("blk.0.ffn_up.weight")?.type).toBe(matrix);
    expect(tensors.get("token_embd.weight")?.type).toBe(matrix);
    expect(tensors.get("output.weight")?.type).toBe(head);
    expect(tensors.get("output_norm.weight")?.type).toBe(GgmlType.F32);
  });

  const changedConfig = (change: object) => ({ ...whole, "config.json": { ...CONFIG, ...change } });
  const faults: [string, Readonly<Record<string, unknown>>, string, RegExp][] = [
    [
      "no config.json",
      { "model.safetensors": whole["model.safetensors"] },
      "CHECKPOINT_MALFORMED",
      /config.json is missing/,
    ],
    [
      "a config.json that is not JSON",
      { ...whole, "config.json": "{" },
      "CHECKPOINT_MALFORMED",
      /config.json is not JSON/,
    ],
    ["no weights", { "config.json": CONFIG }, "CHECKPOINT_MALFORMED", /neither model.safetensors/],
    [
      "another architecture",
      changedConfig({ architectures: ["UnheardOfForCausalLM"] }),
      "MODEL_UNSUPPORTED",
      /UnheardOfForCausalLM/,
    ],
    ["biases", changedConfig({ attention_bias: true }), "MODEL_UNSUPPORTED", /attention_bias/],
    [
      "another activation",
      changedConfig({ hidden_act: "gelu" }),
      "MODEL_UNSUPPORTED",
      /hidden_act is "gelu"; for architecture llama only "silu"/,
    ],
    ["quantized weights", changedConfig({ quantization_config: {} }), "MODEL_UNSUPPORTED", /quantization_config/],
    ["YaRN", changedConfig({ rope_scaling: { type: "yarn", factor: 4 } }), "MODEL_UNSUPPORTED", /yarn/],
    ["a missing size", changedConfig({ hidden_size: undefined }), "CHECKPOINT_MALFORMED", /hidden_size is missing/],
    [
      "a size that the tensors contradict",
      changedConfig({ intermediate_size: 8 }),
      "CHECKPOINT_MALFORMED",
      /\[16, 8\].*\[8, 8\]/,
    ],
    ["a layer too few", changedConfig({ num_hidden_layers: 2 }), "TENSOR_MISSING", /model.layers.1.input_layernorm/],
    [
      "a tensor too many",
      { ...whole, "model.safetensors": encodeSafetensors({ ...SHAPES, "model.layers.0.self_attn.q_proj.bias": [8] }) },
      "TENSOR_UNEXPECTED",
      /q_proj.bias/,
    ],
    [
      "an index that is wrong",
      {
        "config.json": CONFIG,
        "a.safetensors": whole["model.safetensors"],
        "model.safetensors.index.json": { weight_map: { x: "a.safetensors" } },
      },
      "CHECKPOINT_MALFORMED",
      /says that x is in a.safetensors/,
    ],
    [
      "an index that leaves the directory",
      { "config.json": CONFIG, "model.safetensors.index.json": { weight_map: { x: "../a" } } },
      "CHECKPOINT_MALFORMED",
      /is not a file name/,
    ],
  ];

  test.each(faults)("refuses %s and leaves no file", async (_, files, code, message) => {
    const { run, leftovers } = await convert(files);
    await expect(run()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await leftovers()).toEqual([]);
  });

  test("needs a tokenizer unless told that none is wanted", async () => {
    const dir = await writeCheckpoint(whole);
    const request = { dir, out: join(await scratchFolder(), "out.gguf"), type: "f32" } as const;
    await expect(convertCheckpoint(engine, request)).rejects.toMatchObject({
      code: "TOKENIZER_UNSUPPORTED",
      message: expect.stringMatching(/neither tokenizer.model nor tokenizer.json/),
    });
  });

  test("leaves nothing when it is stopped", async () => {
    const { run, leftovers } = await convert(whole, { signal: AbortSignal.abort(new Error("stopped")) });
    await expect(run()).rejects.toThrow("stopped");
    expect(await leftovers()).toEqual([]);
  });

  test("takes the tokenizer beside the weights, padded to the embedding's rows", async () => {
    const dir = await writeCheckpoint({ ...whole, "tokenizer.model": encodeSentencePiece(PIECES) });
    const out = join(await scratchFolder(), "out.gguf");
    await convertCheckpoint(engine, { dir, out, type: "f32" });
    const file = await openGguf(out);
    expect(file.metadata.get("tokenizer.ggml.tokens")?.value).toEqual([
      "<unk>",
      "<s>",
      "</s>",
      "<0x0A>",
      "▁a",
      "[PAD5]",
    ]);
    expect(readModelConfig(file).tokenizer).toMatchObject({ model: "llama", bosId: 1, eosId: 2, addBos: true });
  });
});
