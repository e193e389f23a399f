import type { Tensor } from "@rhone/ggml";
import {
  type Architecture,
  bias,
  matrix,
  norm,
  optional,
  rotated,
  writesResidual,
} from "../architectures/architecture.js";
import type { Layer } from "../architectures/block.js";
import { kvDim, queryDim } from "../architectures/model-shape.js";

type QwenLikeRole =
  | "attnNorm"
  | "attnQ"
  | "attnQNorm"
  | "attnK"
  | "attnKNorm"
  | "attnV"
  | "attnVBias"
  | "attnOutput"
  | "ffnNorm"
  | "ffnGate"
  | "ffnUp"
  | "ffnDown";

/**
 * An architecture that no file in the world has, with what tells Qwen 2 and 3 from Llama: RoPE in NeoX's order, norms
 * on each head of q and k, a bias (here on v, and optional).
 */
export const qwenLike: Architecture<QwenLikeRole> = {
  name: "qwen-like",
  models: "models of tests",
  ropeMode: "neox",
  checkpoint: { classes: { QwenLikeForCausalLM: {} }, settings: { hidden_act: "silu" } },
  layerTensors: {
    attnNorm: norm("attn_norm", "input_layernorm", ({ dim }) => [dim]),
    attnQ: rotated(matrix("attn_q", "self_attn.q_proj", (shape) => [shape.dim, queryDim(shape)])),
    attnQNorm: norm("attn_q_norm", "self_attn.q_norm", ({ headDim }) => [headDim]),
    attnK: rotated(matrix("attn_k", "self_attn.k_proj", (shape) => [shape.dim, kvDim(shape)])),
    attnKNorm: norm("attn_k_norm", "self_attn.k_norm", ({ headDim }) => [headDim]),
    attnV: matrix("attn_v", "self_attn.v_proj", (shape) => [shape.dim, kvDim(shape)]),
    attnVBias: optional(bias("attn_v", "self_attn.v_proj", (shape) => [kvDim(shape)])),
    attnOutput: writesResidual(matrix("attn_output", "self_attn.o_proj", (shape) => [queryDim(shape), shape.dim])),
    ffnNorm: norm("ffn_norm", "post_attention_layernorm", ({ dim }) => [dim]),
    ffnGate: matrix("ffn_gate", "mlp.gate_proj", ({ dim, hiddenDim }) => [dim, hiddenDim]),
    ffnUp: matrix("ffn_up", "mlp.up_proj", ({ dim, hiddenDim }) => [dim, hiddenDim]),
    ffnDown: writesResidual(matrix("ffn_down", "mlp.down_proj", ({ dim, hiddenDim }) => [hiddenDim, dim])),
  },
  block,
};

function block(x: Tensor, layer: Layer<QwenLikeRole>): Tensor {
  const normed = layer.norm(x, "attnNorm");
  const q = layer.rope(layer.norm(layer.heads(layer.linear(normed, "attnQ")), "attnQNorm"));
  const k = layer.rope(layer.norm(layer.heads(layer.linear(normed, "attnK")), "attnKNorm"));
  const v = layer.bias(layer.linear(normed, "attnV"), "attnVBias");
  const { attended, residual } = layer.attend({ q, k, v, residual: x });
  const hidden = layer.add(residual, layer.linear(attended, "attnOutput"));
  const y = layer.norm(hidden, "ffnNorm");
  const gated = layer.swiglu(layer.linear(y, "ffnGate"), layer.linear(y, "ffnUp"));
  return layer.add(hidden, layer.linear(gated, "ffnDown"));
}
