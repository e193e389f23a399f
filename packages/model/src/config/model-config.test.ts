import { GgmlType } from "@rhone/ggml";
import { describe, expect, test } from "vitest";
import { llama } from "../architectures/llama.js";
import { wholeModel } from "../architectures/model-shape.js";
import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import { type SmallModel, smallModel, writeSmallModel } from "../testing/small-gguf.js";
import { readModelConfig } from "./model-config.js";
import { activationBytes, pageBytesPerLayer, shardBytes, weightBytes } from "./model-size.js";
import { tensorsOfShard } from "./shard-tensors.js";

async function configOf(change: (model: SmallModel) => void, overrides = {}) {
  const model = smallModel();
  change(model);
  return readModelConfig(await writeSmallModel(model), overrides);
}

describe("readModelConfig", () => {
  test("names what the file says and fills in what llama.cpp would", async () => {
    expect(await configOf(() => undefined)).toEqual({
      architecture: llama,
      name: "small",
      dim: 8,
      nLayers: 2,
      nHeads: 2,
      nKvHeads: 1,
      headDim: 4,
      hiddenDim: 16,
      vocabSize: 5,
      normEps: Math.fround(1e-5),
      ropeTheta: 10_000,
      ropeDim: 4,
      ropeScaling: { kind: "none" },
      contextLength: 64,
      slidingWindow: 0,
      tiedEmbeddings: false,
      tokenizer: { model: "llama", bosId: 1, eosId: 2, eotId: undefined, addBos: true, chatTemplate: undefined },
    });
  });

  test.each([
    ["the file's window", 16, {}, 16],
    ["an override", 16, { slidingWindow: 8 }, 8],
    ["an override for a file without", undefined, { slidingWindow: 8 }, 8],
    ["no window by override", 16, { slidingWindow: 0 }, 0],
    ["no window where it covers the context", 64, {}, 0],
  ])("takes %s", async (_, window, overrides, expected) => {
    const config = await configOf(({ metadata }) => {
      if (window !== undefined) metadata.set("llama.attention.sliding_window", gguf.u32(window));
    }, overrides);
    expect(config.slidingWindow).toBe(expected);
  });

  const changes: [string, string, GgufValue | undefined, string, RegExp][] = [
    [
      "another architecture",
      "general.architecture",
      gguf.string("unheard-of"),
      "MODEL_UNSUPPORTED",
      /architecture unheard-of.*Mistral 7B/,
    ],
    ["no architecture", "general.architecture", undefined, "GGUF_MALFORMED", /general.architecture is missing/],
    ["experts", "llama.expert_count", gguf.u32(8), "MODEL_UNSUPPORTED", /8 experts/],
    ["a missing key", "llama.block_count", undefined, "GGUF_MALFORMED", /llama.block_count is missing/],
    [
      "a key of the wrong type",
      "llama.block_count",
      gguf.string("2"),
      "GGUF_MALFORMED",
      /llama.block_count is of type string/,
    ],
    ["no layers", "llama.block_count", gguf.u32(0), "GGUF_MALFORMED", /llama.block_count is 0/],
    [
      "heads that do not divide",
      "llama.attention.head_count_kv",
      gguf.u32(3),
      "GGUF_MALFORMED",
      /head_count_kv is 3, which does not divide the 2 heads/,
    ],
    ["a head that is not whole", "llama.embedding_length", gguf.u32(9), "GGUF_MALFORMED", /key_length is 4.5/],
    ["values of another size", "llama.attention.value_length", gguf.u32(8), "MODEL_UNSUPPORTED", /value_length 8/],
    ["half-rotated heads", "llama.rope.dimension_count", gguf.u32(2), "GGUF_MALFORMED", /dimension_count is 2/],
    ["YaRN", "llama.rope.scaling.type", gguf.string("yarn"), "MODEL_UNSUPPORTED", /scaling.type is yarn/],
    ["a vocabulary of another size", "llama.vocab_size", gguf.u32(6), "GGUF_MALFORMED", /6 tokens.*5 rows/],
    ["a token id outside", "tokenizer.ggml.eos_token_id", gguf.u32(5), "GGUF_MALFORMED", /eos_token_id is 5/],
  ];

  test.each(changes)("refuses %s", async (_, key, value, code, message) => {
    const read = configOf(({ metadata }) => {
      if (value === undefined) metadata.delete(key);
      else metadata.set(key, value);
    });
    await expect(read).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("knows linear and Llama 3's RoPE scaling", async () => {
    const linear = await configOf(({ metadata }) => {
      metadata.set("llama.rope.scaling.type", gguf.string("linear"));
      metadata.set("llama.rope.scaling.factor", gguf.f32(4));
    });
    expect(linear.ropeScaling).toEqual({ kind: "linear", factor: 4 });
    const llama3 = await configOf(({ tensors }) =>
      tensors.push({ name: "rope_freqs.weight", type: GgmlType.F32, ne: [2] }),
    );
    expect(llama3.ropeScaling).toEqual({ kind: "frequency-factors" });
  });
});

describe("tensorsOfShard", () => {
  test("gives the first, a middle and the last stage what each needs", async () => {
    const file = await writeSmallModel(smallModel());
    const config = readModelConfig(file);
    const roles = (first: number, last: number) =>
      tensorsOfShard(config, file, { first, last, embeds: first === 0, heads: last === 2 }).map(({ role, layer }) =>
        layer === undefined ? role : `${layer}.${role}`,
      );
    expect(roles(0, 1)).toHaveLength(10);
    expect(roles(0, 1).slice(0, 2)).toEqual(["tokenEmbedding", "0.attnNorm"]);
    expect(roles(1, 2).slice(-3)).toEqual(["1.ffnDown", "outputNorm", "output"]);
    expect(roles(1, 1)).toEqual([]);
    expect(() => roles(1, 3)).toThrow(/Layers \[1, 3\)/);
  });

  test("uses the embedding as head when they are tied, and counts its bytes once", async () => {
    const model = smallModel();
    model.tensors.pop();
    const file = await writeSmallModel(model);
    const config = readModelConfig(file);
    expect(config.tiedEmbeddings).toBe(true);
    const last = tensorsOfShard(config, file, wholeModel(config)).at(-1);
    expect(last).toMatchObject({ role: "output", info: { name: "token_embd.weight" } });
    const layers = [0, 1].reduce((bytes, layer) => bytes + weightBytes(config, file, layer), 0);
    expect(shardBytes(config, file, wholeModel(config))).toBe(layers + 8 * 5 * 4 + 8 * 4);
  });

  const faults: [string, (model: SmallModel) => void, string, RegExp][] = [
    ["a missing tensor", ({ tensors }) => tensors.splice(4, 1), "TENSOR_MISSING", /blk.0.attn_v.weight is missing/],
    [
      "a bias",
      ({ tensors }) => tensors.push({ name: "blk.0.attn_q.bias", type: 0, ne: [8] }),
      "TENSOR_UNEXPECTED",
      /attn_q.bias/,
    ],
    [
      "a layer too many",
      ({ tensors }) => tensors.push({ name: "blk.2.ffn_up.weight", type: 0, ne: [8] }),
      "TENSOR_UNEXPECTED",
      /2 layers/,
    ],
    [
      "a wrong shape",
      ({ tensors }) => tensors.splice(2, 1, { name: "blk.0.attn_q.weight", type: 0, ne: [8, 4] }),
      "GGUF_MALFORMED",
      /\[8, 4\].*\[8, 8\]/,
    ],
    [
      "a quantized norm",
      ({ tensors }) => tensors.splice(1, 1, { name: "blk.0.attn_norm.weight", type: 1, ne: [8] }),
      "TENSOR_TYPE_UNSUPPORTED",
      /attn_norm.weight is stored as F16/,
    ],
  ];

  test.each(faults)("refuses %s", async (_, change, code, message) => {
    const model = smallModel();
    change(model);
    const file = await writeSmallModel(model);
    const config = readModelConfig(file);
    const call = () => tensorsOfShard(config, file, wholeModel(config));
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  test("passes over the RoPE tables of early converters", async () => {
    const model = smallModel();
    model.tensors.push({ name: "blk.0.attn_rot_embd.weight", type: GgmlType.F32, ne: [4] });
    const file = await writeSmallModel(model);
    expect(tensorsOfShard(readModelConfig(file), file, wholeModel({ nLayers: 2 }))).toHaveLength(21);
  });
});

test.each([
  ["f16", 131_072],
  ["f32", 262_144],
  ["q8_0", 69_632],
] as const)("a %s page of 32 positions of Mistral 7B takes %i bytes per layer", (type, bytes) => {
  expect(pageBytesPerLayer({ nKvHeads: 8, headDim: 128 }, type, 32)).toBe(bytes);
});

test.each([
  ["f32", 16_384],
  ["f16", 8192],
  ["q8_0", 4352],
] as const)("a row of %s activations of Mistral 7B takes %i bytes", (type, bytes) => {
  expect(activationBytes({ dim: 4096 }, type)).toBe(bytes);
});

test("q8_0 pages and activations need whole blocks", () => {
  expect(() => pageBytesPerLayer({ nKvHeads: 1, headDim: 16 }, "q8_0", 32)).toThrow(/q8_0 pages .* model has 16;/);
  expect(() => activationBytes({ dim: 80 }, "q8_0")).toThrow(/q8_0 activations .* model has 80; choose f16 or f32/);
});
