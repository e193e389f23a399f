import { RhoneError } from "@rhone/common/rhone-error";
import type { Backend } from "../backend/backend.js";
import type { BufferType } from "../backend/buffer-type.js";
import { BUFFER_USAGE_WEIGHTS } from "../bindings/backend.js";
import type { TensorSpec } from "../tensors/allocate-tensors.js";
import { PackedWeight, type Weight } from "../tensors/packed-weight.js";
import type { Tensor } from "../tensors/tensor.js";
import { TensorStorage } from "../tensors/tensor-storage.js";
import { PackedWeights } from "./packed-weights.js";
import { placeWeight, type WeightUse } from "./weight-placement.js";

export interface WeightSpec extends TensorSpec {
  readonly use: WeightUse;
}

export interface WeightStoreOptions {
  /**
   * False keeps every weight in plain order, out of CPU_REPACK and the layout of Rhone's kernels; true when absent.
   */
  readonly repack?: boolean;
}

/** Weights in one kind of memory. */
type Home = TensorStorage | PackedWeights;

/** The weights of a shard, each in the memory from which its device computes best. Close it before its backend. */
export class WeightStore {
  readonly #homes: ReadonlyMap<string, Home>;
  readonly #homeOf: ReadonlyMap<string, Home>;

  private constructor(homes: ReadonlyMap<string, Home>) {
    this.#homes = homes;
    this.#homeOf = new Map([...homes.values()].flatMap((home) => home.names.map((name) => [name, home] as const)));
  }

  /**
   * Places and allocates every weight; `set` fills them. Matrices that the backend's kernels multiply by are packed for
   * them. Throws OUT_OF_MEMORY with the bytes needed and the device's, TENSOR_TYPE_UNSUPPORTED when the device can't
   * compute with a weight from any of its memory.
   */
  static open(backend: Backend, specs: readonly WeightSpec[], { repack = true }: WeightStoreOptions = {}): WeightStore {
    const kernels = repack ? backend.kernels : undefined;
    const isPacked = (spec: WeightSpec) => spec.use === "matmul" && kernels?.supports(spec) === true;
    const place = placeWeight(
      backend,
      backend.bufferTypes().filter((type) => !type.isExtra || repack),
    );
    const groups = new Map<BufferType | typeof KERNELS, WeightSpec[]>();
    for (const spec of specs) {
      const type = isPacked(spec) ? KERNELS : place(spec);
      groups.set(type, [...(groups.get(type) ?? []), spec]);
    }
    return new WeightStore(openHomes(backend, groups));
  }

  /** Bytes per kind of memory, such as `{ CPU_REPACK: 3_900_000_000, CPU: 70_000_000 }`; KERNELS are packed weights. */
  get bytes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#homes].map(([name, home]) => [name, home.bytes]));
  }

  get names(): readonly string[] {
    return [...this.#homeOf.keys()];
  }

  /** Throws TENSOR_MISSING for a name that was not declared. */
  weight(name: string): Weight {
    return this.#home(name).get(name);
  }

  /** The weight as ggml's operations take it. Throws GGML_FAILED for one that is packed, TENSOR_MISSING. */
  get(name: string): Tensor {
    const weight = this.weight(name);
    if (!(weight instanceof PackedWeight)) return weight;
    throw new RhoneError("GGML_FAILED", `Weight "${name}" is packed for Rhone's kernels; ggml can't compute with it.`);
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

  /** Like `setAsync`, for rows of a PackedWeight in whole groups. Throws GGML_FAILED for other rows and weights. */
  async setRowsAsync(name: string, bytes: Uint8Array, firstRow: number): Promise<void> {
    const home = this.#home(name);
    if (!(home instanceof PackedWeights))
      throw new RhoneError("GGML_FAILED", `Weight "${name}" is not packed: it can only be written whole.`);
    await home.setAsync(name, bytes, firstRow);
  }

  /** Frees the memory. Throws GGML_FAILED while its backend computes a graph. */
  close(): void {
    for (const home of this.#homes.values()) home.close();
  }

  #home(name: string): Home {
    const home = this.#homeOf.get(name);
    if (home !== undefined) return home;
    throw new RhoneError("TENSOR_MISSING", `There is no weight "${name}" among the ${this.#homeOf.size} declared.`);
  }

  #whole(name: string, bytes: Uint8Array): Home {
    const home = this.#home(name);
    const weight = home.get(name);
    if (bytes.byteLength === weight.packedBytes) return home;
    throw new RhoneError(
      "GGML_FAILED",
      `Weight "${name}", ${weight}, takes ${weight.packedBytes} bytes; ${bytes.byteLength} were given.`,
    );
  }
}

/** The place of packed weights, beside the device's buffer types. */
const KERNELS = { name: "KERNELS" } as const;

type Groups = ReadonlyMap<BufferType | typeof KERNELS, readonly WeightSpec[]>;

function openHomes(backend: Backend, groups: Groups): ReadonlyMap<string, Home> {
  const homes = new Map<string, Home>();
  try {
    for (const [type, specs] of groups) homes.set(type.name, openHome(backend, type, specs));
    return homes;
  } catch (error) {
    for (const home of homes.values()) home.close();
    throw error;
  }
}

function openHome(backend: Backend, type: BufferType | typeof KERNELS, specs: readonly WeightSpec[]): Home {
  if (type === KERNELS) return PackedWeights.open(backend, specs);
  const storage = TensorStorage.open(backend, specs, { bufferType: type as BufferType, readWhole: true });
  storage.markAsWeights(BUFFER_USAGE_WEIGHTS);
  return storage;
}
