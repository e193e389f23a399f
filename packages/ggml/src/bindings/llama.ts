import koffi from "koffi";
import type { Declare, NativeStruct } from "./native-function.js";
import type { Pointer } from "./pointer.js";

/** `struct llama_model_params` */
export interface ModelParams {
  devices: Pointer | null;
  tensor_buft_overrides: Pointer | null;
  n_gpu_layers: number;
  split_mode: number;
  load_mode: number;
  lazy_mode: number;
  main_gpu: number;
  tensor_split: Pointer | null;
  progress_callback: Pointer | null;
  progress_callback_user_data: Pointer | null;
  kv_overrides: Pointer | null;
  vocab_only: boolean;
  check_tensors: boolean;
  use_extra_bufts: boolean;
  no_host: boolean;
  no_alloc: boolean;
  load_mtp: boolean;
}
export const modelParams: NativeStruct<ModelParams> = {
  definition: koffi.struct({
    devices: "void *",
    tensor_buft_overrides: "void *",
    n_gpu_layers: "int32_t",
    split_mode: "int",
    load_mode: "int",
    lazy_mode: "int",
    main_gpu: "int32_t",
    tensor_split: "void *",
    progress_callback: "void *",
    progress_callback_user_data: "void *",
    kv_overrides: "void *",
    vocab_only: "bool",
    check_tensors: "bool",
    use_extra_bufts: "bool",
    no_host: "bool",
    no_alloc: "bool",
    load_mtp: "bool",
  }),
};

/** `struct llama_context_params` */
export interface ContextParams {
  n_ctx: number;
  n_batch: number;
  n_ubatch: number;
  n_seq_max: number;
  n_rs_seq: number;
  n_outputs_max: number;
  n_outputs_max_per_seq: number;
  n_threads: number;
  n_threads_batch: number;
  ctx_type: number;
  rope_scaling_type: number;
  pooling_type: number;
  attention_type: number;
  flash_attn_type: number;
  rope_freq_base: number;
  rope_freq_scale: number;
  yarn_ext_factor: number;
  yarn_attn_factor: number;
  yarn_beta_fast: number;
  yarn_beta_slow: number;
  yarn_orig_ctx: number;
  defrag_thold: number;
  cb_eval: Pointer | null;
  cb_eval_user_data: Pointer | null;
  type_k: number;
  type_v: number;
  abort_callback: Pointer | null;
  abort_callback_data: Pointer | null;
  embeddings: boolean;
  offload_kqv: boolean;
  no_perf: boolean;
  op_offload: boolean;
  swa_full: boolean;
  kv_unified: boolean;
  samplers: Pointer | null;
  n_samplers: number;
  ctx_other: Pointer | null;
}
export const contextParams: NativeStruct<ContextParams> = {
  definition: koffi.struct({
    n_ctx: "uint32_t",
    n_batch: "uint32_t",
    n_ubatch: "uint32_t",
    n_seq_max: "uint32_t",
    n_rs_seq: "uint32_t",
    n_outputs_max: "uint32_t",
    n_outputs_max_per_seq: "uint32_t",
    n_threads: "int32_t",
    n_threads_batch: "int32_t",
    ctx_type: "int",
    rope_scaling_type: "int",
    pooling_type: "int",
    attention_type: "int",
    flash_attn_type: "int",
    rope_freq_base: "float",
    rope_freq_scale: "float",
    yarn_ext_factor: "float",
    yarn_attn_factor: "float",
    yarn_beta_fast: "float",
    yarn_beta_slow: "float",
    yarn_orig_ctx: "uint32_t",
    defrag_thold: "float",
    cb_eval: "void *",
    cb_eval_user_data: "void *",
    type_k: "int",
    type_v: "int",
    abort_callback: "void *",
    abort_callback_data: "void *",
    embeddings: "bool",
    offload_kqv: "bool",
    no_perf: "bool",
    op_offload: "bool",
    swa_full: "bool",
    kv_unified: "bool",
    samplers: "void *",
    n_samplers: "size_t",
    ctx_other: "void *",
  }),
};

/** `struct llama_batch`. koffi keeps the arrays alive during the call. */
interface Batch {
  readonly n_tokens: number;
  readonly token: Int32Array;
  readonly embd: null;
  readonly pos: Int32Array;
  readonly n_seq_id: Int32Array;
  readonly seq_id: BigUint64Array;
  readonly logits: Int8Array;
}
const batch: NativeStruct<Batch> = {
  definition: koffi.struct({
    n_tokens: "int32_t",
    token: "void *",
    embd: "void *",
    pos: "void *",
    n_seq_id: "void *",
    seq_id: "void *",
    logits: "void *",
  }),
};

/** `struct llama_sampler_chain_params` */
const samplerChainParams: NativeStruct<{ readonly no_perf: boolean }> = {
  definition: koffi.struct({ no_perf: "bool" }),
};

/** `struct llama_token_data`: bytes */
export const TOKEN_DATA_LAYOUT = { id: 0, logit: 4, p: 8, size: 12 } as const;
/** `struct llama_token_data_array`: bytes */
export const TOKEN_DATA_ARRAY_LAYOUT = { data: 0, count: 8, selected: 16, sorted: 24, size: 32 } as const;
/** `LLAMA_VOCAB_TYPE_NONE` */
export const VOCAB_TYPE_NONE = 0;
/** `LLAMA_TOKEN_ATTR_UNKNOWN` */
export const TOKEN_ATTR_UNKNOWN = 1;
/** `LLAMA_TOKEN_NULL` */
export const TOKEN_NULL = -1;

/** llama.h, in header order. */
export const bindLlama = (fn: Declare) => ({
  modelDefaultParams: fn(modelParams, "llama_model_default_params", []),
  contextDefaultParams: fn(contextParams, "llama_context_default_params", []),
  backendInit: fn("void", "llama_backend_init", []),
  modelLoadFromFile: fn("maybe", "llama_model_load_from_file", ["str", modelParams]),
  modelFree: fn("void", "llama_model_free", ["ptr"]),
  initFromModel: fn("maybe", "llama_init_from_model", ["ptr", contextParams]),
  free: fn("void", "llama_free", ["ptr"]),
  attachThreadpool: fn("void", "llama_attach_threadpool", ["ptr", "ptr", "ptr"]),
  detachThreadpool: fn("void", "llama_detach_threadpool", ["ptr"]),
  nCtx: fn("uint32_t", "llama_n_ctx", ["ptr"]),
  modelNEmbdOut: fn("int32_t", "llama_model_n_embd_out", ["ptr"]),
  getMemory: fn("ptr", "llama_get_memory", ["ptr"]),
  modelGetVocab: fn("ptr", "llama_model_get_vocab", ["ptr"]),
  vocabType: fn("int", "llama_vocab_type", ["ptr"]),
  vocabNTokens: fn("int32_t", "llama_vocab_n_tokens", ["ptr"]),
  memoryClear: fn("void", "llama_memory_clear", ["ptr", "bool"]),
  memorySeqRm: fn("bool", "llama_memory_seq_rm", ["ptr", "int32_t", "int32_t", "int32_t"]),
  memorySeqCp: fn("void", "llama_memory_seq_cp", ["ptr", "int32_t", "int32_t", "int32_t", "int32_t"]),
  decode: fn("int32_t", "llama_decode", ["ptr", batch]),
  getLogitsIth: fn("maybe", "llama_get_logits_ith", ["ptr", "int32_t"]),
  getEmbeddingsSeq: fn("maybe", "llama_get_embeddings_seq", ["ptr", "int32_t"]),
  vocabGetAttr: fn("int", "llama_vocab_get_attr", ["ptr", "int32_t"]),
  vocabIsEog: fn("bool", "llama_vocab_is_eog", ["ptr", "int32_t"]),
  vocabIsControl: fn("bool", "llama_vocab_is_control", ["ptr", "int32_t"]),
  vocabBos: fn("int32_t", "llama_vocab_bos", ["ptr"]),
  vocabEos: fn("int32_t", "llama_vocab_eos", ["ptr"]),
  tokenize: fn("int32_t", "llama_tokenize", ["ptr", "ptr", "int32_t", "maybe", "int32_t", "bool", "bool"]),
  tokenToPiece: fn("int32_t", "llama_token_to_piece", ["ptr", "int32_t", "ptr", "int32_t", "int32_t", "bool"]),
  logSet: fn("void", "llama_log_set", ["maybe", "maybe"]),
  samplerApply: fn("void", "llama_sampler_apply", ["ptr", "ptr"]),
  samplerFree: fn("void", "llama_sampler_free", ["ptr"]),
  samplerChainInit: fn("ptr", "llama_sampler_chain_init", [samplerChainParams]),
  samplerChainAdd: fn("void", "llama_sampler_chain_add", ["ptr", "ptr"]),
  samplerInitTopK: fn("ptr", "llama_sampler_init_top_k", ["int32_t"]),
  samplerInitTopP: fn("ptr", "llama_sampler_init_top_p", ["float", "size_t"]),
  samplerInitTemp: fn("ptr", "llama_sampler_init_temp", ["float"]),
});

export type LlamaBindings = ReturnType<typeof bindLlama>;
