import { batch, contextParams, modelParams } from "./llama-structs.js";
import type { Declare } from "./native-function.js";

/** `LLAMA_VOCAB_TYPE_NONE` */
export const VOCAB_TYPE_NONE = 0;
/** `LLAMA_VOCAB_TYPE_SPM`, `LLAMA_VOCAB_TYPE_BPE` */
export const VOCAB_TYPE_SPM = 1;
export const VOCAB_TYPE_BPE = 2;
/** `enum llama_token_attr` */
export const TOKEN_ATTR_UNKNOWN = 1;
export const TOKEN_ATTR_CONTROL = 8;
export const TOKEN_ATTR_USER_DEFINED = 16;
export const TOKEN_ATTR_LSTRIP = 128;
export const TOKEN_ATTR_RSTRIP = 256;
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
  vocabGetText: fn("str", "llama_vocab_get_text", ["ptr", "int32_t"]),
  vocabGetAttr: fn("int", "llama_vocab_get_attr", ["ptr", "int32_t"]),
  vocabIsEog: fn("bool", "llama_vocab_is_eog", ["ptr", "int32_t"]),
  vocabIsControl: fn("bool", "llama_vocab_is_control", ["ptr", "int32_t"]),
  vocabBos: fn("int32_t", "llama_vocab_bos", ["ptr"]),
  vocabEos: fn("int32_t", "llama_vocab_eos", ["ptr"]),
  tokenize: fn("int32_t", "llama_tokenize", ["ptr", "ptr", "int32_t", "maybe", "int32_t", "bool", "bool"]),
  tokenToPiece: fn("int32_t", "llama_token_to_piece", ["ptr", "int32_t", "ptr", "int32_t", "int32_t", "bool"]),
  logSet: fn("void", "llama_log_set", ["maybe", "maybe"]),
});

export type LlamaBindings = ReturnType<typeof bindLlama>;
