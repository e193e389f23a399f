import { RhoneError } from "@rhone/common/rhone-error";
import type { Backend, NativeBackend } from "../backend/backend.js";
import { native, type Pointer } from "../bindings/pointer.js";
import { type AllocatedTensors, allocateTensors, type StorageOptions, type TensorSpec } from "./allocate-tensors.js";
import type { MetadataArena } from "./metadata-arena.js";
import { checkRange, type Tensor } from "./tensor.js";

/** Named tensors that outlive graphs, such as KV pages, in one buffer. Close it before its backend. */
export class TensorStorage {
  /** Bytes of the buffer. */
  readonly bytes: number;
  readonly #host: NativeBackend;
  readonly #arena: MetadataArena;
  readonly #buffer: Pointer | null;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  /** `setAsync` calls in flight. */
  #writing = 0;

  private constructor(host: NativeBackend, { arena, tensors, buffer }: AllocatedTensors) {
    this.#host = host;
    this.#arena = arena;
    this.#tensors = tensors;
    this.#buffer = buffer;
    this.bytes = buffer === null ? 0 : host.engine.backend.bufferGetSize(buffer);
  }

  /**
   * Allocates the tensors; their contents are undefined until `set` or `zero`. Throws OUT_OF_MEMORY with the bytes
   * needed and the device's, TENSOR_TYPE_UNSUPPORTED for a row that its type can't hold.
   */
  static open(backend: Backend, specs: readonly TensorSpec[], options: StorageOptions = {}): TensorStorage {
    const host = backend[native];
    host.checkOpen();
    return new TensorStorage(host, allocateTensors(host, specs, options));
  }

  get names(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  /** Throws TENSOR_MISSING for a name that was not declared. */
  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined)
      throw new RhoneError(
        "TENSOR_MISSING",
        `There is no tensor "${name}" among the ${this.#tensors.size} of this storage.`,
      );
    return tensor;
  }

  /** Writes `bytes`, borrowed during the call, at `offsetBytes` of the tensor. */
  set(name: string, bytes: ArrayBufferView, offsetBytes = 0): void {
    const tensor = this.#range(name, bytes.byteLength, offsetBytes);
    this.#host.engine.backend.tensorSet(tensor, bytes, offsetBytes, bytes.byteLength);
  }

  /** Like `set`, off the event loop. `bytes` belongs to the call until the promise settles. */
  async setAsync(name: string, bytes: ArrayBufferView, offsetBytes = 0): Promise<void> {
    const tensor = this.#range(name, bytes.byteLength, offsetBytes);
    const { tensorSet } = this.#host.engine.backend;
    await this.write((done) => tensorSet.async(tensor, bytes, offsetBytes, bytes.byteLength, done));
  }

  /** @internal The address of a tensor's data, in memory that the processor can address. */
  address(name: string): Pointer {
    return this.#arena.dataOf(this.get(name)[native]);
  }

  /** Zeroes `bytes` bytes from `offsetBytes` of the tensor, all of it when they are left out. */
  zero(name: string, offsetBytes = 0, bytes = this.get(name).packedBytes - offsetBytes): void {
    const tensor = this.#range(name, bytes, offsetBytes);
    this.#host.engine.backend.tensorMemset(tensor, 0, offsetBytes, bytes);
  }

  /** Fills `into` from `offsetBytes` of the tensor. */
  read<T extends ArrayBufferView>(name: string, into: T, offsetBytes = 0): T {
    const tensor = this.#range(name, into.byteLength, offsetBytes);
    this.#host.engine.backend.tensorGet(tensor, into, offsetBytes, into.byteLength);
    return into;
  }

  /** Marks the buffer as weights, which some devices place and schedule differently. */
  markAsWeights(usage: number): void {
    if (this.#buffer !== null) this.#host.engine.backend.bufferSetUsage(this.#buffer, usage);
  }

  /** Frees the memory. Throws GGML_FAILED while its backend computes a graph or a tensor is being written. */
  close(): void {
    if (!this.#arena.isOpen) return;
    this.#host.checkIdle("Closing a tensor storage");
    if (this.#writing > 0)
      throw new RhoneError("GGML_FAILED", "A tensor storage can't be closed while it is written to.");
    this.#arena.close();
    if (this.#buffer !== null) this.#host.engine.backend.bufferFree(this.#buffer);
  }

  /** @internal Keeps the memory while native code writes to it on another thread: `start` calls it with `done`. */
  async write(start: (done: (error: unknown) => void) => void): Promise<void> {
    this.#writing += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        start((error) => (error === null || error === undefined ? resolve() : reject(error)));
      });
    } finally {
      this.#writing -= 1;
    }
  }

  #range(name: string, bytes: number, offsetBytes: number): Pointer {
    const tensor = this.get(name);
    checkRange(tensor, { offsetBytes, bytes, total: tensor.packedBytes, name });
    return tensor[native];
  }
}
