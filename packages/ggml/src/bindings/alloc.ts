import type { Declare } from "./native-function.js";

/** ggml-alloc.h, in header order. */
export const bindAlloc = (fn: Declare) => ({
  gallocrNew: fn("ptr", "ggml_gallocr_new", ["ptr"]),
  gallocrFree: fn("void", "ggml_gallocr_free", ["ptr"]),
  gallocrReserveNSize: fn("void", "ggml_gallocr_reserve_n_size", ["ptr", "ptr", "maybe", "maybe", "ptr"]),
  gallocrAllocGraph: fn("bool", "ggml_gallocr_alloc_graph", ["ptr", "ptr"]),
  allocCtxTensorsFromBuftSize: fn("size_t", "ggml_backend_alloc_ctx_tensors_from_buft_size", ["ptr", "ptr"]),
  allocCtxTensorsFromBuft: fn("maybe", "ggml_backend_alloc_ctx_tensors_from_buft", ["ptr", "ptr"]),
});

export type AllocBindings = ReturnType<typeof bindAlloc>;
