import { RhoneError } from "@rhone/common/rhone-error";
import type { Backend } from "../backend/backend.js";
import type { BufferType } from "../backend/buffer-type.js";
import { BUFFER_USAGE_WEIGHTS } from "../bindings/backend.js";
import type { TensorSpec } from "../tensors/allocate-tensors.js";
import type { Tensor } from "../tensors/tensor.js";
import { TensorStorage } from "../tensors/tensor-storage.js";
import { placeWeight, type WeightUse } from "./weight-placement.js";

export interface WeightSpec extends TensorSpec {
  readonly use: WeightUse;
}

export interface WeightStoreOptions {
  /** False keeps every weight in plain order, out of CPU_REPACK and the like; true when absent. */
  readonly repack?: boolean;
}

/** The weights of a shard, each in the memory from which its device computes best. Close it before its backend. */
export class WeightStore {
  readonly #storages: ReadonlyMap<string, TensorStorage>;
  readonly #home: ReadonlyMap<string, string>;

  private constructor(storages: ReadonlyMap<string, TensorStorage>, home: ReadonlyMap<string, string>) {
    this.#storages = storages;
    this.#home = home;
  }

  /**
   * Places and allocates every weight; `set` fills them. Throws OUT_OF_MEMORY with the bytes needed and the device's,
   * TENSOR_TYPE_UNSUPPORTED when the device can't compute with a weight from any of its memory.
   */
  static open(backend: Backend, specs: readonly WeightSpec[], options: WeightStoreOptions = {}): WeightStore {
    const types = backend.bufferTypes().filter((type) => !type.isExtra || (options.repack ?? true));
    const place = placeWeight(backend, types);
    const groups = new Map<BufferType, WeightSpec[]>();
    for (const spec of specs) {
      const type = place(spec);
      const group = groups.get(type) ?? [];
      group.push(spec);
      groups.set(type, group);
    }
    return WeightStore.#allocate(backend, groups);
  }

  static #allocate(backend: Backend, groups: ReadonlyMap<BufferType, readonly WeightSpec[]>): WeightStore {
    const storages = new Map<string, TensorStorage>();
    const home = new Map<string, string>();
    try {
      for (const [type, specs] of groups) {
        const storage = TensorStorage.open(backend, specs, { bufferType: type, readWhole: true });
        storage.markAsWeights(BUFFER_USAGE_WEIGHTS);
        storages.set(type.name, storage);
        for (const { name } of specs) home.set(name, type.name);
      }
    } catch (error) {
      for (const storage of storages.values()) storage.close();
      throw error;
    }
    return new WeightStore(storages, home);
  }

  /** Bytes per buffer type, such as `{ CPU_REPACK: 3_900_000_000, CPU: 70_000_000 }`. */
  get bytes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#storages].map(([name, storage]) => [name, storage.bytes]));
  }

  get names(): readonly string[] {
    return [...this.#home.keys()];
  }

  /** Throws TENSOR_MISSING for a name that was not declared. */
  get(name: string): Tensor {
    return this.#storage(name).get(name);
  }

  /** Writes a whole weight in its GGUF layout; `bytes` is borrowed during the call and not copied on the way. */
  set(name: string, bytes: Uint8Array): void {
    this.#whole(name, bytes).set(name, bytes);
  }

  /**
   * Like `set`, off the event loop: repacking a large matrix takes tenths of a second. `bytes` belongs to the call
   * until the promise settles.
   */
  async setAsync(name: string, bytes: Uint8Array): Promise<void> {
    await this.#whole(name, bytes).setAsync(name, bytes);
  }

  /** Frees the memory. Throws GGML_FAILED while its backend computes a graph. */
  close(): void {
    for (const storage of this.#storages.values()) storage.close();
  }

  #storage(name: string): TensorStorage {
    const storage = this.#storages.get(this.#home.get(name) ?? "");
    if (storage === undefined)
      throw new RhoneError("TENSOR_MISSING", `There is no weight "${name}" among the ${this.#home.size} declared.`);
    return storage;
  }

  #whole(name: string, bytes: Uint8Array): TensorStorage {
    const storage = this.#storage(name);
    const tensor = storage.get(name);
    if (bytes.byteLength === tensor.packedBytes) return storage;
    throw new RhoneError(
      "GGML_FAILED",
      `Weight "${name}", ${tensor}, takes ${tensor.packedBytes} bytes; ${bytes.byteLength} were given.`,
    );
  }
}
