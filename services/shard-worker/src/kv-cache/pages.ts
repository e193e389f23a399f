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

/** The pages that a group of sequences looks at, as many for each; shorter sequences repeat one of theirs, masked. */
export interface VisiblePages {
  readonly sequences: number;
  /** Pages per sequence. */
  readonly pages: number;
  /** i32 [sequences * pages]: page ids, sequence by sequence. */
  readonly ids: Tensor;
  /** The first page's id when the ids follow each other: they can be read in place. */
  readonly run: number | undefined;
}

type HeadShape = PagesShape & { readonly headDim: number };

/**
 * Visible rows of one layer's K as heads: [sequences, nKvHeads, positions, headDim] (ne [headDim, positions, nKvHeads,
 * sequences]), of the pages' type. Consecutive pages are read in place.
 */
export function gatherKeys(graph: Graph, cache: Tensor, shape: HeadShape, see: VisiblePages): Tensor {
  if (see.run !== undefined)
    return headsOf(graph, cache, shape, { see, type: shape.type, firstRow: see.run * shape.pageSize });
  return headsOf(graph, gatherWords(graph, cache, shape, see), shape, { see, type: shape.type, firstRow: 0 });
}

/** The same for V, as it is stored or turned into f32 on the way. */
export function gatherValues(
  graph: Graph,
  cache: Tensor,
  shape: HeadShape,
  { see, exact }: { readonly see: VisiblePages; readonly exact: "as stored" | "f32" },
): Tensor {
  if (exact === "as stored" || (shape.type === GgmlType.F32 && see.run !== undefined))
    return gatherKeys(graph, cache, shape, see);
  const whole = graph.reinterpret(cache, shape.type, [shape.kvDim * shape.pageSize, shape.pages]);
  return headsOf(graph, graph.getRows(whole, see.ids), shape, { see, type: GgmlType.F32, firstRow: 0 });
}

/** Copies whole pages, seen as rows of 32-bit words so that no element is converted. */
function gatherWords(
  graph: Graph,
  cache: Tensor,
  { kvDim, type, pageSize, pages }: PagesShape,
  see: VisiblePages,
): Tensor {
  const words = (rowSize(type, kvDim) * pageSize) / 4;
  const gathered = graph.getRows(graph.reinterpret(cache, GgmlType.I32, [words, pages]), see.ids);
  return graph.reinterpret(gathered, type, [kvDim, see.sequences * see.pages * pageSize]);
}

interface HeadView {
  readonly see: VisiblePages;
  readonly type: GgmlType;
  readonly firstRow: number;
}

/** Rows of `kvDim` elements, seen head by head. */
function headsOf(
  graph: Graph,
  source: Tensor,
  { kvDim, headDim, pageSize }: HeadShape,
  { see, type, firstRow }: HeadView,
): Tensor {
  const rowBytes = rowSize(type, kvDim);
  const positions = see.pages * pageSize;
  return graph.view4d(
    source,
    [headDim, positions, kvDim / headDim, see.sequences],
    [rowBytes, rowSize(type, headDim), positions * rowBytes],
    firstRow * rowBytes,
  );
}
