import { RhoneError } from "@rhone/common";
import { THREADPOOL_PARAMS_LAYOUT } from "../bindings/ggml.js";
import type { Pointer } from "../bindings/pointer.js";
import type { NativeEngine } from "../native/engine.js";
import { procAddress } from "./buffer-type.js";

export interface ThreadPoolOptions {
  readonly threads: number;
  /** 0–100: how long idle threads spin before they sleep. Spinning threads take the cores of the other workers here. */
  readonly poll: number;
}

/** Threads that outlive a graph; null for devices of a kind that has none. Throws GGML_FAILED. */
export function createThreadPool(
  native: NativeEngine,
  device: Pointer,
  options: ThreadPoolOptions,
): { readonly pointer: Pointer; readonly free: () => void } | null {
  const create = procAddress(native, device, "ggml_threadpool_new");
  const free = procAddress(native, device, "ggml_threadpool_free");
  if (create === undefined || free === undefined) return null;
  const params = new Uint8Array(THREADPOOL_PARAMS_LAYOUT.size);
  native.ggml.threadpoolParamsInit(params, options.threads);
  new DataView(params.buffer).setUint32(THREADPOOL_PARAMS_LAYOUT.poll, options.poll, true);
  const pointer = create(params) as Pointer | null;
  if (pointer === null) throw new RhoneError("GGML_FAILED", `ggml could not start ${options.threads} threads.`);
  return { pointer, free: () => void free(pointer) };
}

/**
 * Gives a CPU backend threads that outlive a graph; without them ggml starts its threads anew at each one.
 * Returns what frees them. Devices of another kind have no such threads: nothing happens.
 */
export function attachThreadPool(
  native: NativeEngine,
  device: Pointer,
  backend: Pointer,
  options: ThreadPoolOptions,
): () => void {
  procAddress(native, device, "ggml_backend_set_n_threads")?.(backend, options.threads);
  const attach = procAddress(native, device, "ggml_backend_cpu_set_threadpool");
  const pool = attach === undefined ? null : createThreadPool(native, device, options);
  if (pool === null) return () => {};
  attach?.(backend, pool.pointer);
  return () => {
    attach?.(backend, null);
    pool.free();
  };
}
