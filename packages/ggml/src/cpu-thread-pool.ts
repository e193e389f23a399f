import { RhoneError } from "@rhone/common";
import { THREADPOOL_PARAMS_LAYOUT } from "./bindings/ggml.js";
import { procAddress } from "./buffer-type.js";
import type { NativeEngine } from "./engine.js";
import type { Pointer } from "./pointer.js";

export interface ThreadPoolOptions {
  readonly threads: number;
  /** 0–100: how long idle threads spin before they sleep. Spinning threads take the cores of the other workers here. */
  readonly poll: number;
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
  const create = procAddress(native, device, "ggml_threadpool_new");
  const free = procAddress(native, device, "ggml_threadpool_free");
  const attach = procAddress(native, device, "ggml_backend_cpu_set_threadpool");
  const setThreads = procAddress(native, device, "ggml_backend_set_n_threads");
  setThreads?.(backend, options.threads);
  if (create === undefined || free === undefined || attach === undefined) return () => {};
  const params = new Uint8Array(THREADPOOL_PARAMS_LAYOUT.size);
  native.ggml.threadpoolParamsInit(params, options.threads);
  new DataView(params.buffer).setUint32(THREADPOOL_PARAMS_LAYOUT.poll, options.poll, true);
  const pool = create(params) as Pointer | null;
  if (pool === null) throw new RhoneError("GGML_FAILED", `ggml could not start ${options.threads} threads.`);
  attach(backend, pool);
  return () => {
    attach(backend, null);
    free(pool);
  };
}
