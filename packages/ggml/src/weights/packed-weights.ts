import { RhoneError } from "@rhone/common";
import type { Backend } from "../backend/backend.js";
import { BUFFER_USAGE_WEIGHTS } from "../bindings/backend.js";
import { native } from "../bindings/pointer.js";
import { GgmlType, rowSize } from "../elements/ggml-type.js";
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

  /**
   * Packs a matrix, or rows of it from `firstRow` on, from its GGUF layout. Throws GGML_FAILED for rows that are not
   * whole groups.
   */
  set(name: string, bytes: Uint8Array, firstRow = 0): void {
    this.#kernels[native].pack(...this.#rows(name, bytes, firstRow));
  }

  /** Like `set`, off the event loop. `bytes` belongs to the call until the promise settles. */
  async setAsync(name: string, bytes: Uint8Array, firstRow = 0): Promise<void> {
    const rows = this.#rows(name, bytes, firstRow);
    await this.#storage.write((done) => this.#kernels[native].pack.async(...rows, done));
  }

  close(): void {
    this.#storage.close();
  }

  /** What `rk_pack` takes. */
  #rows(name: string, bytes: Uint8Array, firstRow: number) {
    const weight = this.get(name);
    const { type, ne } = weight;
    const [k, rows] = ne;
    const count = bytes.byteLength / rowSize(type, k);
    const end = firstRow + count;
    const cutsGroup = (row: number) => row % PackedWeight.GROUP_ROWS !== 0 && row !== rows;
    if (firstRow < 0 || end > rows || cutsGroup(firstRow) || cutsGroup(end))
      throw new RhoneError("GGML_FAILED", `Rows ${firstRow} to ${end} of "${name}", ${weight}, are not whole groups.`);
    return [this.#storage.address(name), bytes, type, rows, k, firstRow, count] as const;
  }
}
