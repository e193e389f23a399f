import { RhoneError } from "@rhone/common/rhone-error";
import { STATUS_SUCCESS } from "../bindings/ggml.js";
import { native, type Pointer } from "../bindings/pointer.js";
import type { Kernels } from "../kernels/kernels.js";
import { type DeviceInfo, describeDevice, findDevice } from "../native/device.js";
import type { Engine } from "../native/engine.js";
import type { NativeEngine } from "../native/load-native.js";
import { type BufferType, bufferTypesOf } from "./buffer-type.js";
import { attachThreadPool } from "./cpu-thread-pool.js";
import { type KernelTeam, openKernelTeam } from "./kernel-team.js";

export interface BackendOptions {
  /** A name that `engine.devices()` lists, in any case; "CPU" when absent. */
  readonly device?: string;
  /** Threads that compute a graph on the CPU, 1 to 512; other devices ignore it. */
  readonly threads: number;
  /**
   * 0 to 100: how long idle threads spin before they sleep; 0 when absent, which suits several workers on one machine.
   */
  readonly poll?: number;
  /** Rhone's own kernels, used where the device is a CPU; ggml's alone when absent. */
  readonly kernels?: Kernels | undefined;
}

/** What storages and graphs need of a backend. */
export interface NativeBackend {
  readonly engine: NativeEngine;
  readonly device: Pointer;
  /** Undefined where ggml computes everything. */
  readonly kernels: Kernels | undefined;
  /** The threads of the kernels' nodes; null for one thread, or without kernels. */
  readonly team: Pointer | null;
  /** Throws GGML_FAILED once the backend is closed. */
  readonly checkOpen: () => void;
  /** Throws GGML_FAILED while a graph is computed: `action` would free memory that the graph reads. */
  readonly checkIdle: (action: string) => void;
}

/** A graph that is locked until `finish` is called. */
export interface ComputableGraph {
  readonly graph: Pointer;
  /** Whether ggml computes next to nothing of it: then the kernels' team does, and ggml walks it with one thread. */
  readonly byKernels: boolean;
  readonly finish: () => void;
}

/** A graph that a backend can compute. */
export interface Computable {
  /** Locks the graph. */
  [native](): ComputableGraph;
}

/** One stream of computation on one device. Close its graphs and storages before it. */
export class Backend {
  readonly device: DeviceInfo;
  readonly threads: number;
  /** What graphs compute with where they can; undefined where ggml computes everything. */
  readonly kernels: Kernels | undefined;
  readonly [native]: NativeBackend;
  readonly #engine: NativeEngine;
  readonly #device: Pointer;
  readonly #backend: Pointer;
  /** Null for one thread, or without kernels. */
  readonly #team: KernelTeam | null;
  readonly #freeThreads: () => void;
  #last: Promise<void> = Promise.resolve();
  #running = 0;
  readonly #whenIdle: (() => void)[] = [];
  #open = true;

  private constructor(host: Pick<NativeBackend, "engine" | "device">, backend: Pointer, options: BackendOptions) {
    const { engine, device } = host;
    const { threads, poll = 0, kernels } = options;
    this.device = describeDevice(engine.backend, device);
    this.threads = threads;
    this.kernels = this.device.kind === "cpu" ? kernels : undefined;
    this.#engine = engine;
    this.#device = device;
    this.#backend = backend;
    this.#freeThreads = attachThreadPool(host, backend, { threads, poll });
    this.#team = this.kernels === undefined || threads === 1 ? null : openKernelTeam(host, this.kernels, threads);
    this[native] = {
      engine,
      device,
      kernels: this.kernels,
      team: this.#team?.pointer ?? null,
      checkOpen: () => this.#checkOpen(),
      checkIdle: (action) => this.#checkIdle(action),
    };
  }

  /** Throws DEVICE_NOT_FOUND (lists what exists), INVALID_CONFIG for a thread count out of range, GGML_FAILED. */
  static open(handle: Engine, options: BackendOptions): Backend {
    const { threads, device: name = "CPU" } = options;
    if (!Number.isInteger(threads) || threads < 1 || threads > 512)
      throw new RhoneError("INVALID_CONFIG", `A backend takes 1 to 512 threads; ${threads} were requested.`);
    const engine = handle[native];
    const device = findDevice(engine, name);
    const { result, complaints } = engine.log.capture(() => engine.backend.devInit(device, null));
    if (result === null)
      throw new RhoneError("GGML_FAILED", `Device "${name}" can't be started: ${complaints || "ggml gave no reason"}.`);
    return new Backend({ engine, device }, result, options);
  }

  /** The kinds of memory that tensors can be kept in, best for weights first. */
  bufferTypes(): readonly BufferType[] {
    this.#checkOpen();
    return bufferTypesOf(this.#engine, this.#device);
  }

  /**
   * Computes an allocated graph off the event loop. A backend computes one graph at a time, in the order of the calls,
   * and a graph can't be changed until its promise settles. Rejects with GGML_FAILED.
   */
  compute(graph: Computable): Promise<void> {
    this.#checkOpen();
    const job = graph[native]();
    this.#running += 1;
    const run = this.#last
      .then(() => this.#runAsync(job))
      .finally(() => {
        this.#running -= 1;
        job.finish();
        if (this.#running === 0) for (const work of this.#whenIdle.splice(0)) work();
      });
    this.#last = run.catch(() => {});
    return run;
  }

  /**
   * Computes an allocated graph while the caller waits. Throws GGML_FAILED, also while `compute` has work in flight.
   */
  computeSync(graph: Computable): void {
    this.#checkOpen();
    this.#checkIdle("computeSync");
    const job = graph[native]();
    try {
      this.#checkStatus(this.#engine.backend.graphCompute(this.#backendFor(job), job.graph));
    } finally {
      job.finish();
    }
  }

  /** Calls `work` when no graph is being computed, at once if none is: memory can be freed then. */
  whenIdle(work: () => void): void {
    if (this.#running === 0) work();
    else this.#whenIdle.push(work);
  }

  /** Stops the threads. Throws GGML_FAILED while a graph is being computed. */
  close(): void {
    if (!this.#open) return;
    this.#checkIdle("Backend.close");
    this.#open = false;
    this.#team?.free();
    this.#freeThreads();
    this.#engine.backend.free(this.#backend);
  }

  #backendFor({ byKernels }: ComputableGraph): Pointer {
    return byKernels && this.#team !== null ? this.#team.backend : this.#backend;
  }

  #runAsync(job: ComputableGraph): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#engine.backend.graphCompute.async(this.#backendFor(job), job.graph, (error, status) => {
        try {
          if (error !== null && error !== undefined) throw error;
          this.#checkStatus(status);
          resolve();
        } catch (failure) {
          reject(failure);
        }
      });
    });
  }

  #checkStatus(status: number): void {
    if (status === STATUS_SUCCESS) return;
    const reason = this.#engine.ggml.statusToString(status);
    const message = `${this.device.name} could not compute the graph: ${reason} (ggml status ${status}).`;
    throw new RhoneError("GGML_FAILED", message);
  }

  #checkOpen(): void {
    if (!this.#open) throw new RhoneError("GGML_FAILED", "The backend was used after it was closed.");
  }

  #checkIdle(action: string): void {
    if (this.#running === 0) return;
    const message = `${action} must wait: the backend has ${this.#running} graph(s) to compute.`;
    throw new RhoneError("GGML_FAILED", message);
  }
}
