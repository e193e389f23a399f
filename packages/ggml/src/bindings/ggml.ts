import koffi from "koffi";
import type { Declare, NativeStruct } from "./native-function.js";
import type { Pointer } from "./pointer.js";

/** `struct ggml_init_params` */
interface InitParams {
  readonly mem_size: number;
  readonly mem_buffer: Pointer;
  readonly no_alloc: boolean;
}
const initParams: NativeStruct<InitParams> = {
  definition: koffi.struct({ mem_size: "size_t", mem_buffer: "void *", no_alloc: "bool" }),
};

/** `struct ggml_tensor`: byte offsets of the fields that are read or patched, and its size. */
export const TENSOR_LAYOUT = {
  type: 0,
  buffer: 8,
  ne: 16,
  nb: 48,
  opParams: 84,
  src: 152,
  data: 248,
  size: 336,
} as const;
/** `struct ggml_type_traits` */
export const TYPE_TRAITS_LAYOUT = { blckSize: 8, typeSize: 24, toFloat: 40 } as const;
/** `struct ggml_threadpool_params` */
export const THREADPOOL_PARAMS_LAYOUT = { poll: 520, size: 528 } as const;
/** `GGML_STATUS_SUCCESS` */
export const STATUS_SUCCESS = 0;
/** `GGML_PREC_F32` */
export const PREC_F32 = 10;
/** `GGML_ROPE_TYPE_NORMAL`, `GGML_ROPE_TYPE_NEOX` */
export const ROPE_TYPE = { norm: 0, neox: 2 } as const;
/** `ggml_to_float_t` */
export const TO_FLOAT = koffi.proto("void", ["void *", "void *", "int64_t"]);

/** ggml.h, in header order. */
export const bindGgml = (fn: Declare) => ({
  statusToString: fn("str", "ggml_status_to_string", ["int"]),
  version: fn("str", "ggml_version", []),
  commit: fn("str", "ggml_commit", []),
  nbytes: fn("size_t", "ggml_nbytes", ["ptr"]),
  tensorOverhead: fn("size_t", "ggml_tensor_overhead", []),
  init: fn("maybe", "ggml_init", [initParams]),
  reset: fn("void", "ggml_reset", ["ptr"]),
  free: fn("void", "ggml_free", ["ptr"]),
  newTensor4d: fn("ptr", "ggml_new_tensor_4d", ["ptr", "int", "int64_t", "int64_t", "int64_t", "int64_t"]),
  setInput: fn("void", "ggml_set_input", ["ptr"]),
  setOutput: fn("void", "ggml_set_output", ["ptr"]),
  add: fn("ptr", "ggml_add", ["ptr", "ptr", "ptr"]),
  mul: fn("ptr", "ggml_mul", ["ptr", "ptr", "ptr"]),
  concat: fn("ptr", "ggml_concat", ["ptr", "ptr", "ptr", "int"]),
  swigluSplit: fn("ptr", "ggml_swiglu_split", ["ptr", "ptr", "ptr"]),
  rmsNorm: fn("ptr", "ggml_rms_norm", ["ptr", "ptr", "float"]),
  flashAttnExtSetPrec: fn("void", "ggml_flash_attn_ext_set_prec", ["ptr", "int"]),
  mulMat: fn("ptr", "ggml_mul_mat", ["ptr", "ptr", "ptr"]),
  cpy: fn("ptr", "ggml_cpy", ["ptr", "ptr", "ptr"]),
  cast: fn("ptr", "ggml_cast", ["ptr", "ptr", "int"]),
  reshape2d: fn("ptr", "ggml_reshape_2d", ["ptr", "ptr", "int64_t", "int64_t"]),
  reshape3d: fn("ptr", "ggml_reshape_3d", ["ptr", "ptr", "int64_t", "int64_t", "int64_t"]),
  view1d: fn("ptr", "ggml_view_1d", ["ptr", "ptr", "int64_t", "size_t"]),
  view2d: fn("ptr", "ggml_view_2d", ["ptr", "ptr", "int64_t", "int64_t", "size_t", "size_t"]),
  view4d: fn("ptr", "ggml_view_4d", [
    "ptr",
    "ptr",
    "int64_t",
    "int64_t",
    "int64_t",
    "int64_t",
    "size_t",
    "size_t",
    "size_t",
    "size_t",
  ]),
  getRows: fn("ptr", "ggml_get_rows", ["ptr", "ptr", "ptr"]),
  setRows: fn("ptr", "ggml_set_rows", ["ptr", "ptr", "ptr", "ptr"]),
  ropeExt: fn("ptr", "ggml_rope_ext", [
    "ptr",
    "ptr",
    "ptr",
    "maybe",
    "int",
    "int",
    "int",
    "float",
    "float",
    "float",
    "float",
    "float",
    "float",
  ]),
  flashAttnExt: fn("ptr", "ggml_flash_attn_ext", ["ptr", "ptr", "ptr", "ptr", "maybe", "float", "float", "float"]),
  buildForwardExpand: fn("void", "ggml_build_forward_expand", ["ptr", "ptr"]),
  newGraphCustom: fn("ptr", "ggml_new_graph_custom", ["ptr", "size_t", "bool"]),
  graphOverheadCustom: fn("size_t", "ggml_graph_overhead_custom", ["size_t", "bool"]),
  logSet: fn("void", "ggml_log_set", ["maybe", "maybe"]),
  quantizeInit: fn("void", "ggml_quantize_init", ["int"]),
  quantizeRequiresImatrix: fn("bool", "ggml_quantize_requires_imatrix", ["int"]),
  quantizeChunk: fn("size_t", "ggml_quantize_chunk", ["int", "ptr", "ptr", "int64_t", "int64_t", "int64_t", "maybe"]),
  getTypeTraits: fn("ptr", "ggml_get_type_traits", ["int"]),
  threadpoolParamsInit: fn("void", "ggml_threadpool_params_init", ["ptr", "int"]),
});

export type GgmlBindings = ReturnType<typeof bindGgml>;
