import { GgmlType, type Graph, rowSize, type Tensor } from "@rhone/ggml";
import type { PagesShape } from "../kv-cache/pages.js";

/** The pages visible to a group of sequences, padded to the same count; padding repeats a page and is masked. */
export interface VisiblePages {
  readonly sequences: number;
  /** Pages per sequence. */
  readonly pages: number;
  /** i32 [sequences * pages]: page ids, sequence by sequence. */
  readonly ids: Tensor;
  /** The first page's id when the ids are consecutive: consecutive pages are read in place. */
  readonly run: number | undefined;
}

/** A layer's K or V, and the part of it to read. */
export interface PagesToGather {
  readonly cache: Tensor;
  readonly shape: PagesShape & { readonly headDim: number };
  readonly visible: VisiblePages;
}

/**
 * Visible rows of one layer's K by head: [sequences, nKvHeads, positions, headDim] (ne [headDim, positions, nKvHeads,
 * sequences]), of the pages' type. Consecutive pages are read in place.
 */
export function gatherKeys(graph: Graph, from: PagesToGather): Tensor {
  const { cache, shape, visible } = from;
  const { type, pageSize } = shape;
  if (visible.run !== undefined) return headsOf(graph, from, { rows: cache, type, firstRow: visible.run * pageSize });
  return headsOf(graph, from, { rows: gatherWords(graph, from), type, firstRow: 0 });
}

/** The same for V, either of the pages' type or converted to f32 while it is gathered. */
export function gatherValues(graph: Graph, from: PagesToGather, as: "stored" | "f32"): Tensor {
  const { cache, shape, visible } = from;
  const { type, kvDim, pageSize, pages } = shape;
  if (as === "stored" || (type === GgmlType.F32 && visible.run !== undefined)) return gatherKeys(graph, from);
  const whole = graph.reinterpret(cache, type, [kvDim * pageSize, pages]);
  return headsOf(graph, from, { rows: graph.getRows(whole, visible.ids), type: GgmlType.F32, firstRow: 0 });
}

/** Copies whole pages as rows of 32-bit words, so that no element is converted. */
function gatherWords(graph: Graph, { cache, shape, visible }: PagesToGather): Tensor {
  const { kvDim, type, pageSize, pages } = shape;
  const words = (rowSize(type, kvDim) * pageSize) / 4;
  const gathered = graph.getRows(graph.reinterpret(cache, GgmlType.I32, [words, pages]), visible.ids);
  return graph.reinterpret(gathered, type, [kvDim, visible.sequences * visible.pages * pageSize]);
}

interface HeadView {
  /** Rows of kvDim elements of `type`. */
  readonly rows: Tensor;
  readonly type: GgmlType;
  readonly firstRow: number;
}

/** Views rows of kvDim elements head by head. */
function headsOf(graph: Graph, { shape, visible }: PagesToGather, { rows, type, firstRow }: HeadView): Tensor {
  const { kvDim, headDim, pageSize } = shape;
  const rowBytes = rowSize(type, kvDim);
  const positions = visible.pages * pageSize;
  return graph.view4d(rows, [headDim, positions, kvDim / headDim, visible.sequences], {
    nb: [rowBytes, rowSize(type, headDim), positions * rowBytes],
    offsetBytes: firstRow * rowBytes,
  });
}
