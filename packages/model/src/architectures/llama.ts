import type { Tensor } from "@rhone/ggml";
import { type Architecture, matrix, norm, rotated, sensitive, writesResidual } from "./architecture.js";
import type { Layer } from "./block.js";
import { kvDim, queryDim } from "./model-shape.js";

type LlamaRole = "attnNorm" | "attnQ" | "attnK" | "attnV" | "attnOutput" | "ffnNorm" | "ffnGate" | "ffnUp" | "ffnDown";

/**
 * Llama (Touvron et al., 2023): pre-norm, RoPE, SwiGLU. Mistral 7B (Jiang et al., 2023) is the same with grouped
 * queries and a sliding window. Follows mistral-inference transformer_layers.py; names as llama.cpp and transformers
 * write them.
 */
export const llama: Architecture<LlamaRole> = {
  name: "llama",
  models: "Mistral 7B, Llama 1 to 3, Code Llama, SmolLM2 and their kin",
  ropeMode: "norm",
  checkpoint: {
    classes: { LlamaForCausalLM: {}, MistralForCausalLM: { nKvHeads: 8 } },
    settings: { hidden_act: "silu", attention_bias: false, mlp_bias: false },
  },
  layerTensors: {
    attnNorm: norm("attn_norm", "input_layernorm", ({ dim }) => [dim]),
    attnQ: rotated(matrix("attn_q", "self_attn.q_proj", (shape) => [shape.dim, queryDim(shape)])),
    attnK: rotated(matrix("attn_k", "self_attn.k_proj", (shape) => [shape.dim, kvDim(shape)])),
    attnV: sensitive(matrix("attn_v", "self_attn.v_proj", (shape) => [shape.dim, kvDim(shape)])),
    attnOutput: writesResidual(matrix("attn_output", "self_attn.o_proj", (shape) => [queryDim(shape), shape.dim])),
    ffnNorm: norm("ffn_norm", "post_attention_layernorm", ({ dim }) => [dim]),
    ffnGate: matrix("ffn_gate", "mlp.gate_proj", ({ dim, hiddenDim }) => [dim, hiddenDim]),
    ffnUp: matrix("ffn_up", "mlp.up_proj", ({ dim, hiddenDim }) => [dim, hiddenDim]),
    ffnDown: sensitive(writesResidual(matrix("ffn_down", "mlp.down_proj", ({ dim, hiddenDim }) => [hiddenDim, dim]))),
  },
  block,
};

function block(x: Tensor, layer: Layer<LlamaRole>): Tensor {
  const normed = layer.norm(x, "attnNorm");
  const q = layer.linear(normed, "attnQ");
  const k = layer.linear(normed, "attnK");
  const v = layer.linear(normed, "attnV");
  const heads = { q: layer.rope(layer.heads(q)), k: layer.rope(layer.heads(k)), v };
  const { attended, residual } = layer.attend({ ...heads, residual: x });
  const hidden = layer.add(residual, layer.linear(attended, "attnOutput"));
  return layer.add(hidden, feedForward(layer.norm(hidden, "ffnNorm"), layer));
}

/** down(silu(gate(x)) * up(x)) */
function feedForward(x: Tensor, layer: Layer<LlamaRole>): Tensor {
  const gated = layer.swiglu(layer.linear(x, "ffnGate"), layer.linear(x, "ffnUp"));
  return layer.linear(gated, "ffnDown");
}
