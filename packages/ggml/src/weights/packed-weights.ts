import { RhoneError } from "@rhone/common";
import type { Backend } from "../backend/backend.js";
import { BUFFER_USAGE_WEIGHTS } from "../bindings/backend.js";
import { native } from "../bindings/pointer.js";
import { GgmlType } from "../elements/ggml-type.js";
import type { Kernels } from "../kernels/kernels.js";
import type { TensorSpec } from "../tensors/allocate-tensors.js";
import { PackedWeight } from "../tensors/packed-weight.js";
import { TensorStorage } from "../tensors/tensor-storage.js";

/** Matrices in the layout of Rhone's kernels, in plain memory of huge pages. There is no second copy of them. */
export class PackedWeights {
  readonly #kernels: Kernels;
  readonly #storage: TensorStorage;
  readonly #weights: ReadonlyMap<string, PackedWeight>;

  private constructor(kernels: Kernels, storage: TensorStorage, specs: readonly TensorSpec[]) {
    this.#kernels = kernels;
    this.#storage = storage;
    this.#weights = new Map(
      specs.map(({ name, type, ne: [k, rows = 1] }) => [name, new PackedWeight(storage.get(name), type, [k, rows])]),
    );
  }

  /** Allocates matrices that the backend's kernels support. Throws OUT_OF_MEMORY. */
  static open(backend: Backend, specs: readonly TensorSpec[]): PackedWeights {
    const { kernels } = backend;
    if (kernels === undefined) throw new RhoneError("GGML_FAILED", "Packing weights needs a backend with kernels.");
    const packed = specs.map((spec) => ({ ...spec, type: GgmlType.I8, ne: [kernels.packedBytes(spec)] as const }));
    const plain = backend.bufferTypes().find(({ isExtra }) => !isExtra);
    const place = plain === undefined ? {} : { bufferType: plain };
    const storage = TensorStorage.open(backend, packed, { ...place, readWhole: true });
    storage.markAsWeights(BUFFER_USAGE_WEIGHTS);
    return new PackedWeights(kernels, storage, specs);
  }

  get bytes(): number {
    return this.#storage.bytes;
  }

  get names(): readonly string[] {
    return this.#storage.names;
  }

  /** Throws TENSOR_MISSING. */
  get(name: string): PackedWeight {
    const weight = this.#weights.get(name);
    if (weight === undefined) throw new RhoneError("TENSOR_MISSING", `There is no packed weight "${name}".`);
    return weight;
  }

  /** Packs a whole matrix from its GGUF layout. */
  set(name: string, bytes: Uint8Array): void {
    const { type, ne } = this.get(name);
    const [k, rows] = ne;
    this.#kernels[native].pack(this.#storage.address(name), bytes, type, rows, k, 0, rows);
  }

  /** Like `set`, off the event loop. `bytes` belongs to the call until the promise settles. */
  async setAsync(name: string, bytes: Uint8Array): Promise<void> {
    const { type, ne } = this.get(name);
    const [k, rows] = ne;
    const { pack } = this.#kernels[native];
    await this.#storage.write((done) => pack.async(this.#storage.address(name), bytes, type, rows, k, 0, rows, done));
  }

  close(): void {
    this.#storage.close();
  }
}
