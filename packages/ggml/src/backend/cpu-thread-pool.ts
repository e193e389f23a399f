import { RhoneError } from "@rhone/common/rhone-error";
import { THREADPOOL_PARAMS_LAYOUT } from "../bindings/ggml.js";
import type { Pointer } from "../bindings/pointer.js";
import type { NativeEngine } from "../native/load-native.js";
import { procAddress } from "./buffer-type.js";

export interface ThreadPoolOptions {
  readonly threads: number;
  /**
   * 0 to 100: how long idle threads spin before they sleep. Spinning threads take cores from the machine's other
   * workers.
   */
  readonly poll: number;
}

/** Where threads are made: the engine, and one of its devices. */
export interface ThreadPoolHost {
  readonly engine: NativeEngine;
  readonly device: Pointer;
}

/** Threads that outlive a graph; null for a kind of device that has none. Throws GGML_FAILED. */
export function createThreadPool(
  { engine, device }: ThreadPoolHost,
  options: ThreadPoolOptions,
): { readonly pointer: Pointer; readonly free: () => void } | null {
  const create = procAddress(engine, device, "ggml_threadpool_new");
  const free = procAddress(engine, device, "ggml_threadpool_free");
  if (create === undefined || free === undefined) return null;
  const params = new Uint8Array(THREADPOOL_PARAMS_LAYOUT.size);
  engine.ggml.threadpoolParamsInit(params, options.threads);
  new DataView(params.buffer).setUint32(THREADPOOL_PARAMS_LAYOUT.poll, options.poll, true);
  const pointer = create(params) as Pointer | null;
  if (pointer === null) throw new RhoneError("GGML_FAILED", `ggml could not start ${options.threads} threads.`);
  return { pointer, free: () => void free(pointer) };
}

/**
 * Gives a CPU backend threads that outlive a graph: without them ggml starts its threads again for each one.
 * Returns the function that frees them. A device of another kind has no such threads, and nothing happens.
 */
export function attachThreadPool(host: ThreadPoolHost, backend: Pointer, options: ThreadPoolOptions): () => void {
  const { engine, device } = host;
  procAddress(engine, device, "ggml_backend_set_n_threads")?.(backend, options.threads);
  const attach = procAddress(engine, device, "ggml_backend_cpu_set_threadpool");
  const pool = attach === undefined ? null : createThreadPool(host, options);
  if (pool === null) return () => {};
  attach?.(backend, pool.pointer);
  return () => {
    attach?.(backend, null);
    pool.free();
  };
}
