import { type Backend, type GgmlType, rowSize, type Tensor, TensorStorage } from "@rhone/ggml";

export interface PagesShape {
  readonly layers: readonly number[];
  readonly pages: number;
  readonly pageSize: number;
  /** nKvHeads * headDim. */
  readonly kvDim: number;
  readonly type: GgmlType;
}

/**
 * K and V of a stage's layers: per layer two tensors of pages * pageSize rows, [rows, kvDim] (ne [kvDim, rows]).
 * K is stored after RoPE, at absolute positions. Owns its memory until `close`.
 */
export class Pages {
  readonly shape: PagesShape;
  readonly #storage: TensorStorage;
  /** Pages that were zeroed, once and for all. */
  readonly #zeroed = new Set<number>();

  private constructor(shape: PagesShape, storage: TensorStorage) {
    this.shape = shape;
    this.#storage = storage;
  }

  /** Memory of a page is touched only once it is prepared. Throws OUT_OF_MEMORY with the numbers. */
  static open(backend: Backend, shape: PagesShape): Pages {
    const ne = [shape.kvDim, shape.pages * shape.pageSize] as const;
    const specs = shape.layers.flatMap((layer) => [
      { name: `k.${layer}`, type: shape.type, ne },
      { name: `v.${layer}`, type: shape.type, ne },
    ]);
    return new Pages(shape, TensorStorage.open(backend, specs));
  }

  get bytes(): number {
    return this.#storage.bytes;
  }

  keys(layer: number): Tensor {
    return this.#storage.get(`k.${layer}`);
  }

  values(layer: number): Tensor {
    return this.#storage.get(`v.${layer}`);
  }

  /**
   * Call before a page is used: the first time, it is zeroed in every layer, because rows that nobody has written yet are masked
   * and must not be NaN. Pages are not zeroed at load: to touch gigabytes takes seconds, and most pages wait long for their use.
   */
  prepare(ids: readonly number[]): void {
    const bytes = rowSize(this.shape.type, this.shape.kvDim) * this.shape.pageSize;
    for (const id of ids) {
      if (this.#zeroed.has(id)) continue;
      for (const name of this.#storage.names) this.#storage.zero(name, id * bytes, bytes);
      this.#zeroed.add(id);
    }
  }

  /** Copies whole page `from` over page `to` in every layer. */
  copy(from: number, to: number): void {
    const bytes = rowSize(this.shape.type, this.shape.kvDim) * this.shape.pageSize;
    const page = new Uint8Array(bytes);
    this.#zeroed.add(to);
    for (const name of this.#storage.names) {
      this.#storage.read(name, page, from * bytes);
      this.#storage.set(name, page, to * bytes);
    }
  }

  close(): void {
    this.#storage.close();
  }
}
