import { RhoneError } from "@rhone/common";
import { type Backend, type GgmlType, rowSize, type Tensor, TensorStorage } from "@rhone/ggml";

export interface PagesShape {
  /** The model's own numbers of the layers. */
  readonly layers: readonly number[];
  readonly pages: number;
  readonly pageSize: number;
  /** nKvHeads * headDim. */
  readonly kvDim: number;
  readonly type: GgmlType;
}

/**
 * K and V of a stage's layers: two tensors per layer, [pages * pageSize, kvDim] (ne [kvDim, pages * pageSize]). K is
 * stored after RoPE, at absolute positions. Owns its memory until `close`.
 */
export class Pages {
  readonly shape: PagesShape;
  readonly #storage: TensorStorage;
  /** Pages whose memory has been written; they are never zeroed again. */
  readonly #touched = new Set<number>();

  private constructor(shape: PagesShape, storage: TensorStorage) {
    this.shape = shape;
    this.#storage = storage;
  }

  /** Reserves the memory, which becomes resident page by page with `prepare`. Throws OUT_OF_MEMORY with the numbers. */
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
   * Call before a page is used. Its first use zeroes it in every layer: attention masks rows that nobody has written
   * yet, and a masked NaN is still NaN. Loading does not zero pages, because touching gigabytes takes seconds.
   */
  prepare(ids: readonly number[]): void {
    const bytes = rowSize(this.shape.type, this.shape.kvDim) * this.shape.pageSize;
    for (const id of ids) {
      if (this.#touched.has(id)) continue;
      for (const name of this.#storage.names) this.#storage.zero(name, id * bytes, bytes);
      this.#touched.add(id);
    }
  }

  /** Copies page `from` over page `to` in every layer. */
  copy(from: number, to: number): void {
    const bytes = rowSize(this.shape.type, this.shape.kvDim) * this.shape.pageSize;
    const page = new Uint8Array(bytes);
    this.#touched.add(to);
    for (const name of this.#storage.names) {
      this.#storage.read(name, page, from * bytes);
      this.#storage.set(name, page, to * bytes);
    }
  }

  close(): void {
    this.#storage.close();
  }
}

/** The pages of one sequence, in the order of its positions, as the coordinator assigned them. */
export class PageTable {
  readonly #pageSize: number;
  readonly #pages: number[] = [];

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  /** Its number of pages. */
  get length(): number {
    return this.#pages.length;
  }

  append(pages: readonly number[]): void {
    for (const page of pages) this.#pages.push(page);
  }

  /** The row of the cache that holds `position`: with pages of 32, position 70 is row 6 of the table's page 2. */
  rowOf(position: number): number {
    return this.#pageAt(Math.floor(position / this.#pageSize)) * this.#pageSize + (position % this.#pageSize);
  }

  /** Page ids of the table's entries [first, last). */
  slice(first: number, last: number): readonly number[] {
    return Array.from({ length: last - first }, (_, i) => this.#pageAt(first + i));
  }

  #pageAt(index: number): number {
    const page = this.#pages[index];
    if (page === undefined) {
      throw new RhoneError(
        "STAGE_FAILED",
        `A step reaches page ${index} of a sequence that has ${this.#pages.length} pages.`,
      );
    }
    return page;
  }
}
