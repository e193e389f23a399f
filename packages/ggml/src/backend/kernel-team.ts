import { RhoneError } from "@rhone/common/rhone-error";
import { native, type Pointer } from "../bindings/pointer.js";
import type { Kernels } from "../kernels/kernels.js";
import { procAddress } from "./buffer-type.js";
import type { ThreadPoolHost } from "./cpu-thread-pool.js";

/** What computes graphs of the kernels' nodes. */
export interface KernelTeam {
  /** A ggml backend with one thread, which walks the graph. */
  readonly backend: Pointer;
  /** The threads that compute its nodes with that one. */
  readonly pointer: Pointer;
  /** Ends the threads. Close the graphs before. */
  readonly free: () => void;
}

/**
 * Threads that wait only for work that has begun, where ggml's wait for each other behind every node: on a busy machine
 * one of them is often off its core. Throws OUT_OF_MEMORY.
 */
export function openKernelTeam({ engine, device }: ThreadPoolHost, kernels: Kernels, threads: number): KernelTeam {
  const { teamNew, teamFree } = kernels[native];
  const backend = engine.backend.devInit(device, null);
  const pointer = teamNew(threads);
  const free = (): void => {
    if (pointer !== null) teamFree(pointer);
    if (backend !== null) engine.backend.free(backend);
  };
  if (backend === null || pointer === null) {
    free();
    throw new RhoneError("OUT_OF_MEMORY", `There is no memory for a team of ${threads} threads.`);
  }
  procAddress(engine, device, "ggml_backend_set_n_threads")?.(backend, 1);
  return { backend, pointer, free };
}
