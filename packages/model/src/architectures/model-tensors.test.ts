import { describe, expect, test } from "vitest";
import { presetConfig } from "../synthesize/presets.js";
import { qwenLike } from "../testing/qwen-like.js";
import { TINY_SHAPE } from "../testing/random-model.js";
import { llama } from "./llama.js";
import { type ModelShape, wholeModel } from "./model-shape.js";
import { modelTensors } from "./model-tensors.js";

const mistral7b = presetConfig("mistral-7b");

/** SmolLM2-135M, whose head is its embedding. */
const smollm2 = {
  ...mistral7b,
  dim: 576,
  nLayers: 30,
  nHeads: 9,
  nKvHeads: 3,
  headDim: 64,
  ropeDim: 64,
  hiddenDim: 1536,
  vocabSize: 49_152,
  tiedEmbeddings: true,
};

describe("the parameters of published models", () => {
  test.each([
    // From the models' pages: the number that safetensors files add up to.
    ["Mistral 7B v0.1", mistral7b, 7_241_732_096],
    ["Mistral 7B v0.3", presetConfig("mistral-7b-v0.3"), 7_248_023_552],
    ["Llama 2 7B", presetConfig("llama-2-7b"), 6_738_415_616],
    ["Llama 2 13B", presetConfig("llama-2-13b"), 13_015_864_320],
    ["SmolLM2 135M", smollm2, 134_515_008],
  ])("%s has as many", (_, model, parameters) => {
    const distinct = new Map(modelTensors(model, wholeModel(model)).map(({ name, ne }) => [name, ne]));
    const counts = [...distinct.values()].map((ne) => ne.reduce((product, extent) => product * extent, 1));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(parameters);
  });
});

describe("the tensors of a range", () => {
  const model = { ...TINY_SHAPE, architecture: llama };
  const roles = (shape: Partial<ModelShape>, range: { first: number; last: number; embeds: boolean; heads: boolean }) =>
    modelTensors({ ...model, ...shape }, range).map(({ role, layer }) =>
      layer === undefined ? role : `${layer} ${role}`,
    );

  test("are in the order of the forward pass", () => {
    const all = roles({}, wholeModel(model));
    const layer = Object.keys(llama.layerTensors);
    expect(all).toEqual([
      "tokenEmbedding",
      ...layer.map((role) => `0 ${role}`),
      ...layer.map((role) => `1 ${role}`),
      "outputNorm",
      "output",
    ]);
  });

  test.each([
    ["a middle stage has layers alone", { first: 1, last: 2, embeds: false, heads: false }, 9],
    ["the first stage embeds", { first: 0, last: 1, embeds: true, heads: false }, 10],
    ["the last stage has norm and head", { first: 1, last: 2, embeds: false, heads: true }, 11],
    ["a stage without layers may still have a head", { first: 2, last: 2, embeds: false, heads: true }, 2],
  ])("%s", (_, range, count) => {
    expect(roles({}, range)).toHaveLength(count);
  });

  test("include RoPE factors in every stage of a model that has them", () => {
    const shape = { ropeScaling: { kind: "frequency-factors" } as const };
    expect(roles(shape, { first: 1, last: 1, embeds: false, heads: false })).toEqual(["ropeFreqs"]);
  });

  test("name the embedding as head when they are tied", () => {
    const tied = modelTensors({ ...model, tiedEmbeddings: true }, { first: 0, last: 0, embeds: true, heads: true });
    expect(tied.map(({ role, name, use }) => [role, name, use])).toEqual([
      ["tokenEmbedding", "token_embd.weight", "rows"],
      ["outputNorm", "output_norm.weight", "norm"],
      ["output", "token_embd.weight", "matmul"],
    ]);
  });

  test("have the names of GGUF files and of checkpoints, and extents from the shape", () => {
    const tensors = modelTensors(
      { ...TINY_SHAPE, architecture: qwenLike },
      { first: 1, last: 2, embeds: false, heads: true },
    );
    const found = (role: string) => {
      const tensor = tensors.find((candidate) => candidate.role === role);
      return tensor && [tensor.name, tensor.checkpointName, tensor.ne, tensor.use];
    };
    // dim 32, 4 heads of 16 over 2 K/V heads, hidden 64, 40 tokens
    expect(found("attnQ")).toEqual([
      "blk.1.attn_q.weight",
      "model.layers.1.self_attn.q_proj.weight",
      [32, 64],
      "matmul",
    ]);
    expect(found("attnKNorm")).toEqual([
      "blk.1.attn_k_norm.weight",
      "model.layers.1.self_attn.k_norm.weight",
      [16],
      "norm",
    ]);
    expect(found("attnVBias")).toEqual(["blk.1.attn_v.bias", "model.layers.1.self_attn.v_proj.bias", [32], "norm"]);
    expect(found("ffnDown")).toEqual([
      "blk.1.ffn_down.weight",
      "model.layers.1.mlp.down_proj.weight",
      [64, 32],
      "matmul",
    ]);
    expect(found("output")).toEqual(["output.weight", "lm_head.weight", [32, 40], "matmul"]);
  });
});
