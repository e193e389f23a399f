import { type Backend, GgmlType, type Graph, rowSize, type Tensor, TensorStorage } from "@rhone/ggml";

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

  private constructor(shape: PagesShape, storage: TensorStorage) {
    this.shape = shape;
    this.#storage = storage;
  }

  /** All zero: rows of a page that nobody has written yet are masked, and must not be NaN. Throws OUT_OF_MEMORY with the numbers. */
  static async open(backend: Backend, shape: PagesShape): Promise<Pages> {
    const ne = [shape.kvDim, shape.pages * shape.pageSize] as const;
    const specs = shape.layers.flatMap((layer) => [
      { name: `k.${layer}`, type: shape.type, ne },
      { name: `v.${layer}`, type: shape.type, ne },
    ]);
    const storage = TensorStorage.open(backend, specs);
    await storage.clear();
    return new Pages(shape, storage);
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

  /** Copies whole page `from` over page `to` in every layer. */
  copy(from: number, to: number): void {
    const bytes = rowSize(this.shape.type, this.shape.kvDim) * this.shape.pageSize;
    const page = new Uint8Array(bytes);
    for (const name of this.#storage.names) {
      this.#storage.read(name, page, from * bytes);
      this.#storage.set(name, page, to * bytes);
    }
  }

  close(): void {
    this.#storage.close();
  }
}

/** Where a span's rows look: pages of its table, and the positions among them that any row sees. */
export interface VisiblePages {
  readonly ids: readonly number[];
  /** i32 [ids.length], or undefined when the ids follow each other and no gathering is needed. */
  readonly gather: Tensor | undefined;
  /** Rows of the gathered pages to leave out at the start, and rows to read. */
  readonly skip: number;
  readonly count: number;
}

/**
 * The visible rows of one layer's K or V as heads: [nKvHeads, count, headDim] (ne [headDim, count, nKvHeads]), of the pages' type.
 * Consecutive pages are read in place; others are gathered as whole pages, seen as rows of 32-bit words so that no element
 * is converted.
 */
export function gatherHeads(
  graph: Graph,
  cache: Tensor,
  shape: PagesShape & { headDim: number },
  see: VisiblePages,
): Tensor {
  const { kvDim, headDim, type, pageSize, pages } = shape;
  const rowBytes = rowSize(type, kvDim);
  const heads = (source: Tensor, firstRow: number): Tensor =>
    graph.view3d(
      source,
      [headDim, see.count, kvDim / headDim],
      [rowBytes, rowSize(type, headDim)],
      firstRow * rowBytes,
    );
  if (see.gather === undefined) return heads(cache, (see.ids[0] ?? 0) * pageSize + see.skip);
  const words = (rowBytes * pageSize) / 4;
  const gathered = graph.getRows(graph.reinterpret(cache, GgmlType.I32, [words, pages]), see.gather);
  return heads(graph.reinterpret(gathered, type, [kvDim, see.ids.length * pageSize]), see.skip);
}

/** Whether each id is one more than the one before. */
export function areConsecutive(ids: readonly number[]): boolean {
  return ids.every((id, i) => i === 0 || id === (ids[i - 1] ?? 0) + 1);
}
