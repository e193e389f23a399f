import type { Declare } from "./native-function.js";

/** The version of kernels.h that these signatures are of. */
export const KERNELS_ABI = 2;
/** `RK_MOST_PRODUCTS` */
export const MOST_PRODUCTS = 4;
/** `RK_PLAIN`, `RK_NORM`, `RK_SWIGLU`: what happens to rows before they are quantized. */
export const QUANTIZE_HOW = { plain: 0, norm: 1, swiglu: 2 } as const;

/** `struct rk_attention`: page_size, window and so on are i32, scale is f32. */
export function attentionShape(integers: AttentionIntegers, scale: number): Uint8Array {
  const { type, pageSize, headDim, nHeads, nKvHeads, window } = integers;
  const fields = Int32Array.of(type, pageSize, headDim, nHeads, nKvHeads, window, 0);
  new Float32Array(fields.buffer)[6] = scale;
  return new Uint8Array(fields.buffer);
}

interface AttentionIntegers {
  readonly type: number;
  readonly pageSize: number;
  readonly headDim: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly window: number;
}

/** `RK_ROPE_NORM`, `RK_ROPE_NEOX`. */
export const ROPE_MODE = { norm: 0, neox: 2 } as const;

/** `struct rk_rope`. */
export function ropeParameters({ mode, dims, freqBase, freqScale }: RopeFields): Uint8Array {
  const fields = Int32Array.of(mode, dims, 0, 0);
  new Float32Array(fields.buffer).set([freqBase, freqScale], 2);
  return new Uint8Array(fields.buffer);
}

interface RopeFields {
  readonly mode: number;
  readonly dims: number;
  readonly freqBase: number;
  readonly freqScale: number;
}

/** `RK_DRAW_NONE`, `RK_DRAW_BEST`, `RK_DRAW_RANDOM` */
export const DRAW_HOW = { none: 0, best: 1, random: 2 } as const;

/** `struct rk_row_request`: bytes. Pointers, f64, then i32. */
export const ROW_REQUEST_LAYOUT = {
  ...{ allowed: 0, banned: 8, biased: 16, biases: 24, seen: 32, generated: 40, counts: 48 },
  ...{ repetition: 56, frequency: 64, presence: 72, factor: 80, cut: 88, topP: 96, uniform: 104 },
  ...{ nBanned: 112, nBiased: 116, nSeen: 120, nGenerated: 124, row: 128, how: 132, topK: 136, target: 140 },
  ...{ alternatives: 144, size: 152 },
} as const;

/** `struct rk_row_reading`: bytes */
export const ROW_READING_LAYOUT = {
  total: 0,
  best: 8,
  target: 12,
  logit: 16,
  token: 20,
  listed: 24,
  size: 32,
} as const;
/** `struct rk_alternative`: bytes */
export const ALTERNATIVE_LAYOUT = { token: 0, logit: 4, size: 8 } as const;

/** kernels.h of packages/kernels, in header order. */
export const bindKernels = (fn: Declare) => ({
  abi: fn("int", "rk_abi", []),
  tensorSize: fn("size_t", "rk_tensor_size", []),
  variants: fn("str", "rk_variants", []),
  choose: fn("int", "rk_choose", ["str"]),
  bind: fn("void", "rk_bind", ["ptr", "ptr"]),
  packedBytes: fn("size_t", "rk_packed_bytes", ["int", "int64_t", "int64_t"]),
  pack: fn("void", "rk_pack", ["ptr", "ptr", "int", "int64_t", "int64_t", "int64_t", "int64_t"]),
  teamNew: fn("maybe", "rk_team_new", ["int"]),
  teamFree: fn("void", "rk_team_free", ["ptr"]),
  graphNew: fn("maybe", "rk_graph_new", ["int", "maybe"]),
  graphReset: fn("void", "rk_graph_reset", ["ptr"]),
  graphFree: fn("void", "rk_graph_free", ["ptr"]),
  activationBytes: fn("size_t", "rk_activation_bytes", ["int", "int64_t", "int64_t"]),
  activationKind: fn("int", "rk_activation_kind", ["int"]),
  quantize: fn("maybe", "rk_quantize", ["ptr", "ptr", "int", "int", "ptr", "maybe", "float"]),
  product: fn("maybe", "rk_product", ["ptr", "ptr", "int", "ptr", "int64_t", "int64_t", "ptr", "int64_t", "maybe"]),
  products: fn("int", "rk_products", [
    ...(["ptr", "ptr", "int", "ptr", "ptr", "ptr", "int64_t", "ptr", "int64_t", "ptr"] as const),
  ]),
  attends: fn("int", "rk_attends", ["ptr"]),
  attend: fn("maybe", "rk_attend", ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "maybe"]),
  rotations: fn("maybe", "rk_rotations", ["ptr", "ptr", "ptr", "ptr", "int64_t", "maybe"]),
  writeKv: fn("maybe", "rk_write_kv", [
    ...(["ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"] as const),
  ]),
  readRows: fn("maybe", "rk_read_rows", ["ptr", "ptr", "ptr", "ptr", "int64_t", "int"]),
});

export type KernelBindings = ReturnType<typeof bindKernels>;
