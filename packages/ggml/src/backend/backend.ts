import { RhoneError } from "@rhone/common";
import { STATUS_SUCCESS } from "../bindings/ggml.js";
import type { Pointer } from "../bindings/pointer.js";
import { type DeviceInfo, describeDevice, findDevice } from "../native/device.js";
import { type Engine, type NativeEngine, nativeOf } from "../native/engine.js";
import { type BufferType, bufferTypesOf } from "./buffer-type.js";
import { beginCompute, type Computable } from "./computable.js";
import { attachThreadPool } from "./cpu-thread-pool.js";

export interface BackendOptions {
  /** A name that `engine.devices()` lists, in any case; "CPU" when absent. */
  readonly device?: string;
  /** Threads that compute a graph on the CPU; other devices ignore it. */
  readonly threads: number;
  /** 0–100: how long idle threads spin before they sleep; 0 when absent, which suits several workers on one machine. */
  readonly poll?: number;
}

/** What storages and graphs need of a backend. Stays inside this package. */
export interface NativeBackend {
  readonly native: NativeEngine;
  readonly device: Pointer;
  /** Throws GGML_FAILED when the backend is closed. */
  readonly checkOpen: () => void;
  /** Throws GGML_FAILED when a graph is being computed: `what` would pull memory from under it. */
  readonly checkIdle: (what: string) => void;
}

/** Reaches the native side from within this package. */
export let nativeBackendOf: (backend: Backend) => NativeBackend;

/** One stream of computation on one device. Close its graphs and storages before it. */
export class Backend {
  readonly device: DeviceInfo;
  readonly threads: number;
  readonly #native: NativeEngine;
  readonly #device: Pointer;
  readonly #backend: Pointer;
  readonly #freeThreads: () => void;
  #last: Promise<void> = Promise.resolve();
  #running = 0;
  #open = true;

  static {
    nativeBackendOf = (backend) => ({
      native: backend.#native,
      device: backend.#device,
      checkOpen: () => backend.#checkOpen(),
      checkIdle: (what) => backend.#checkIdle(what),
    });
  }

  private constructor(native: NativeEngine, device: Pointer, backend: Pointer, options: BackendOptions) {
    this.device = describeDevice(native.backend, device);
    this.threads = options.threads;
    this.#native = native;
    this.#device = device;
    this.#backend = backend;
    this.#freeThreads = attachThreadPool(native, device, backend, {
      threads: options.threads,
      poll: options.poll ?? 0,
    });
  }

  /** Throws DEVICE_NOT_FOUND (lists what exists), INVALID_CONFIG for a thread count under 1, GGML_FAILED. */
  static open(engine: Engine, options: BackendOptions): Backend {
    if (!Number.isInteger(options.threads) || options.threads < 1 || options.threads > 512) {
      throw new RhoneError(
        "INVALID_CONFIG",
        `A backend needs between 1 and 512 threads; ${options.threads} were asked for.`,
      );
    }
    const native = nativeOf(engine);
    const name = options.device ?? "CPU";
    const device = findDevice(native, name);
    const { result, complaints } = native.log.capture(() => native.backend.devInit(device, null));
    if (result === null)
      throw new RhoneError("GGML_FAILED", `Device "${name}" could not be started: ${complaints || "no reason given"}.`);
    return new Backend(native, device, result, options);
  }

  /** Where tensors can lie, best for weights first. */
  bufferTypes(): readonly BufferType[] {
    this.#checkOpen();
    return bufferTypesOf(this.#native, this.#device);
  }

  /** Whether a graph is being computed or waits to be. */
  get busy(): boolean {
    return this.#running > 0;
  }

  /**
   * Computes an allocated graph off the event loop. Graphs of one backend run one after another, in the order of the calls;
   * until the promise settles the graph can't be changed. Rejects with GGML_FAILED.
   */
  compute(graph: Computable): Promise<void> {
    this.#checkOpen();
    const job = graph[beginCompute]();
    this.#running += 1;
    const run = this.#last
      .then(() => this.#runAsync(job.graph))
      .finally(() => {
        this.#running -= 1;
        job.finish();
      });
    this.#last = run.catch(() => {});
    return run;
  }

  /** Computes an allocated graph while the caller waits. Throws GGML_FAILED, also while `compute` has work in flight. */
  computeSync(graph: Computable): void {
    this.#checkOpen();
    this.#checkIdle("computeSync");
    const job = graph[beginCompute]();
    try {
      this.#checkStatus(this.#native.backend.graphCompute(this.#backend, job.graph));
    } finally {
      job.finish();
    }
  }

  /** Stops the threads. Throws GGML_FAILED while a graph is being computed. */
  close(): void {
    if (!this.#open) return;
    this.#checkIdle("Backend.close");
    this.#open = false;
    this.#freeThreads();
    this.#native.backend.free(this.#backend);
  }

  #runAsync(graph: Pointer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#native.backend.graphCompute.async(this.#backend, graph, (error, status) => {
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
    const reason = this.#native.ggml.statusToString(status);
    throw new RhoneError(
      "GGML_FAILED",
      `${this.device.name} could not compute the graph: ${reason} (status ${status}).`,
    );
  }

  #checkOpen(): void {
    if (!this.#open) throw new RhoneError("GGML_FAILED", "The backend was used after it was closed.");
  }

  #checkIdle(what: string): void {
    if (this.#running > 0)
      throw new RhoneError("GGML_FAILED", `${what} must wait: ${this.#running} graph(s) are being computed.`);
  }
}
