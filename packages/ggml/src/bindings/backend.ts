import koffi from "koffi";
import type { Declare } from "./native-function.js";

/** `enum ggml_backend_buffer_usage` */
export const BUFFER_USAGE_WEIGHTS = 1;

/** ggml-backend.h, in header order: what libggml-base exports. */
export const bindBackend = (fn: Declare) => ({
  buftName: fn("str", "ggml_backend_buft_name", ["ptr"]),
  buftAllocBuffer: fn("maybe", "ggml_backend_buft_alloc_buffer", ["ptr", "size_t"]),
  bufferFree: fn("void", "ggml_backend_buffer_free", ["ptr"]),
  bufferGetBase: fn("ptr", "ggml_backend_buffer_get_base", ["ptr"]),
  bufferGetSize: fn("size_t", "ggml_backend_buffer_get_size", ["ptr"]),
  bufferSetUsage: fn("void", "ggml_backend_buffer_set_usage", ["ptr", "int"]),
  free: fn("void", "ggml_backend_free", ["ptr"]),
  tensorSet: fn("void", "ggml_backend_tensor_set", ["ptr", "ptr", "size_t", "size_t"]),
  tensorGet: fn("void", "ggml_backend_tensor_get", ["ptr", "ptr", "size_t", "size_t"]),
  tensorMemset: fn("void", "ggml_backend_tensor_memset", ["ptr", "uint8_t", "size_t", "size_t"]),
  graphCompute: fn("int", "ggml_backend_graph_compute", ["ptr", "ptr"]),
  devName: fn("str", "ggml_backend_dev_name", ["ptr"]),
  devDescription: fn("str", "ggml_backend_dev_description", ["ptr"]),
  devMemory: fn("void", "ggml_backend_dev_memory", ["ptr", "ptr", "ptr"]),
  devType: fn("int", "ggml_backend_dev_type", ["ptr"]),
  devBackendReg: fn("ptr", "ggml_backend_dev_backend_reg", ["ptr"]),
  devInit: fn("maybe", "ggml_backend_dev_init", ["ptr", "maybe"]),
  devBufferType: fn("ptr", "ggml_backend_dev_buffer_type", ["ptr"]),
  devSupportsOp: fn("bool", "ggml_backend_dev_supports_op", ["ptr", "ptr"]),
  regGetProcAddress: fn("maybe", "ggml_backend_reg_get_proc_address", ["ptr", "str"]),
});

/** ggml-backend.h, in header order: what libggml, the registry of devices, exports. */
export const bindRegistry = (fn: Declare) => ({
  devCount: fn("size_t", "ggml_backend_dev_count", []),
  devGet: fn("ptr", "ggml_backend_dev_get", ["size_t"]),
  load: fn("maybe", "ggml_backend_load", ["str"]),
  loadAllFromPath: fn("void", "ggml_backend_load_all_from_path", ["str"]),
});

/** What a device's registry hands out by name only: the proc addresses of ggml-backend.h and ggml-cpu.h. */
export const PROC_ADDRESSES = {
  ggml_backend_set_n_threads: koffi.proto("void", ["void *", "int"]),
  ggml_backend_dev_get_extra_bufts: koffi.proto("void *", ["void *"]),
  ggml_threadpool_new: koffi.proto("void *", ["void *"]),
  ggml_threadpool_free: koffi.proto("void", ["void *"]),
  ggml_backend_cpu_set_threadpool: koffi.proto("void", ["void *", "void *"]),
} as const;

export type BackendBindings = ReturnType<typeof bindBackend>;
export type RegistryBindings = ReturnType<typeof bindRegistry>;
