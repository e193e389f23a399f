import { GgmlType, type Graph, rowSize, type Tensor } from "@rhone/ggml";
import type { PagesShape } from "../kv-cache/pages.js";

/** The pages visible to a group of sequences, padded to the same count; padding repeats a page and is masked. */
export interface VisiblePages {
  readonly sequences: number;
  /** Pages per sequence. */
  readonly pages: number;
  /** i32 [sequences * pages]: page ids, sequence by sequence. */
  readonly ids: Tensor;
  /** The first page's id when the ids are consecutive: such pages are read in place. */
  readonly run: number | undefined;
}

type HeadShape = PagesShape & { readonly headDim: number };

/**
 * Visible rows of one layer's K by head: [sequences, nKvHeads, positions, headDim] (ne [headDim, positions, nKvHeads,
 * sequences]), of the pages' type. Consecutive pages are read in place.
 */
export function gatherKeys(graph: Graph, cache: Tensor, shape: HeadShape, see: VisiblePages): Tensor {
  if (see.run !== undefined)
    return headsOf(graph, cache, shape, { see, type: shape.type, firstRow: see.run * shape.pageSize });
  return headsOf(graph, gatherWords(graph, cache, shape, see), shape, { see, type: shape.type, firstRow: 0 });
}

/** The same for V, either of the pages' type or converted to f32 while it is gathered. */
export function gatherValues(
  graph: Graph,
  cache: Tensor,
  shape: HeadShape,
  { see, as }: { readonly see: VisiblePages; readonly as: "stored" | "f32" },
): Tensor {
  if (as === "stored" || (shape.type === GgmlType.F32 && see.run !== undefined))
    return gatherKeys(graph, cache, shape, see);
  const whole = graph.reinterpret(cache, shape.type, [shape.kvDim * shape.pageSize, shape.pages]);
  return headsOf(graph, graph.getRows(whole, see.ids), shape, { see, type: GgmlType.F32, firstRow: 0 });
}

/** Copies whole pages as rows of 32-bit words, so that no element is converted. */
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

/** Views rows of `kvDim` elements head by head. */
function headsOf(
  graph: Graph,
  source: Tensor,
  { kvDim, headDim, pageSize }: HeadShape,
  { see, type, firstRow }: HeadView,
): Tensor {
  const rowBytes = rowSize(type, kvDim);
  const positions = see.pages * pageSize;
  return graph.view4d(source, [headDim, positions, kvDim / headDim, see.sequences], {
    nb: [rowBytes, rowSize(type, headDim), positions * rowBytes],
    offsetBytes: firstRow * rowBytes,
  });
}
