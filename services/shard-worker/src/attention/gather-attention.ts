import { RhoneError } from "@rhone/common";
import { GgmlType, type Graph, rowSize, type Tensor } from "@rhone/ggml";
import type { Heads } from "@rhone/model";
import type { PagesShape } from "../kv-cache/pages.js";
import type { AttentionOptions, AttentionSpan, StepAttention } from "./attention.js";
import { describeGroup, type GroupInputs, groupForAttention, type VisiblePages } from "./attention-groups.js";
import { KvWriter } from "./kv-writer.js";
import { RowOrder } from "./row-order.js";

/**
 * From 64 rows, ggml's CPU flash attention takes its tiled path: it accumulates in f32 and needs V in K's type. Below,
 * it accumulates f16 values in f16, which costs 0.04 of log-probability on a small model; f32 values are accumulated in
 * f32.
 */
const TILE_ROWS = 64;

/** Grouped-query attention by ggml's operations: gathers each group's visible pages, then attends with a mask. */
export class GatherAttention<Span extends AttentionSpan> implements StepAttention<Span> {
  readonly order: RowOrder<Span>;
  readonly #graph: Graph;
  readonly #options: AttentionOptions;
  readonly #writer: KvWriter;
  readonly #groups: readonly GroupInputs[];

  /** Throws STAGE_FAILED when a span sees a page that was freed or never assigned. */
  constructor(graph: Graph, spans: readonly Span[], options: AttentionOptions) {
    const { inputs, pages, config } = options;
    const { pageSize } = pages.shape;
    const { slidingWindow } = config;
    const groups = groupForAttention(spans, { pageSize, slidingWindow, pageBytes: gatheredPageBytes(pages.shape) });
    this.#graph = graph;
    this.#options = options;
    this.order = new RowOrder(
      spans,
      groups.flatMap(({ members }) => members.map(({ span }) => span)),
    );
    let row = 0;
    this.#groups = groups.map((group) => {
      const described = describeGroup(group, row, { inputs, pageSize, slidingWindow });
      row += group.count * group.members.length;
      return described;
    });
    this.#writer = new KvWriter(graph, this.order, options);
  }

  attend(layer: number, { q, k, v }: Heads): Tensor {
    this.#writer.write(layer, k, v);
    return concatRows(
      this.#graph,
      this.#groups.map((group) => this.#attendGroup(layer, q, group)),
    );
  }

  #attendGroup(layer: number, q: Tensor, { row, count, visible, mask }: GroupInputs): Tensor {
    const graph = this.#graph;
    const { pages, config } = this.#options;
    const { headDim, nHeads } = config;
    const [, head, token] = q.nb;
    const ne = [headDim, count, nHeads, visible.sequences] as const;
    const queries = graph.view4d(q, ne, { nb: [token, head, count * token], offsetBytes: row * token });
    const shape = { ...pages.shape, headDim };
    const keys = gatherKeys(graph, { cache: pages.keys(layer), shape, visible });
    const from = { cache: pages.values(layer), shape, visible };
    const values = gatherValues(graph, from, count >= TILE_ROWS ? "stored" : "f32");
    const attended = graph.flashAttnExt({ q: queries, k: keys, v: values, scale: 1 / Math.sqrt(headDim), mask });
    return graph.reshape2d(attended, [headDim * nHeads, count * visible.sequences]);
  }
}

/** Gathered keys keep the pages' type; gathered values may become f32. */
const gatheredPageBytes = ({ type, kvDim, pageSize }: PagesShape): number =>
  (rowSize(type, kvDim) + rowSize(GgmlType.F32, kvDim)) * pageSize;

/** Joins in pairs, so that each row is copied log2(parts) times at most. */
function concatRows(graph: Graph, parts: readonly Tensor[]): Tensor {
  const [first, second] = parts;
  if (first === undefined) throw new RhoneError("STAGE_FAILED", "A step without rows has nothing to attend to.");
  if (second === undefined) return first;
  const half = Math.ceil(parts.length / 2);
  return graph.concat(concatRows(graph, parts.slice(0, half)), concatRows(graph, parts.slice(half)), 1);
}

/** A layer's K or V, and the part of it to read. */
interface PagesToGather {
  readonly cache: Tensor;
  readonly shape: PagesShape & { readonly headDim: number };
  readonly visible: VisiblePages;
}

/**
 * Visible rows of one layer's K by head: [sequences, nKvHeads, positions, headDim] (ne [headDim, positions, nKvHeads,
 * sequences]), of the pages' type. Consecutive pages are read in place.
 */
function gatherKeys(graph: Graph, from: PagesToGather): Tensor {
  const { cache, shape, visible } = from;
  const { type, pageSize } = shape;
  if (visible.run !== undefined) return headsOf(graph, from, { rows: cache, type, firstRow: visible.run * pageSize });
  return headsOf(graph, from, { rows: gatherWords(graph, from), type, firstRow: 0 });
}

/** The same for V, either of the pages' type or converted to f32 while it is gathered. */
function gatherValues(graph: Graph, from: PagesToGather, as: "stored" | "f32"): Tensor {
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
