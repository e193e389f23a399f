import {
  type AttentionOperations,
  type AttentionShape,
  GgmlType,
  type Graph,
  type RopeOptions,
  SPAN_COLUMNS,
  type StepPages,
  type Tensor,
} from "@rhone/ggml";
import type { Heads } from "@rhone/model";
import type { AttentionOptions, AttentionSpan, StepAttention, UnrotatedHeads } from "./attention.js";
import { KvWriter } from "./kv-writer.js";
import { RowOrder } from "./row-order.js";
import { pagesOf, visibleEntries } from "./visible-pages.js";

/** Tables are padded to multiples of this, so that the next page of a sequence seldom changes the graph. */
const TABLE_STEP = 64;

/** What decides whether the kernels attend. */
export interface AttentionShapeOptions {
  readonly pages: Pick<AttentionOptions["pages"], "shape">;
  readonly config: AttentionOptions["config"];
}

/**
 * Attention by Rhone's own kernels, which read the pages in place: nothing is gathered, and no mask is made. Spans of
 * any lengths attend in one operation, in the frame's order. RoPE and the writing of K and V are one more.
 */
export class PagedAttention<Span extends AttentionSpan> implements StepAttention<Span> {
  readonly order: RowOrder<Span>;
  readonly #graph: Graph;
  readonly #kernels: AttentionOperations;
  readonly #options: AttentionOptions;
  readonly #writer: KvWriter;
  readonly #step: StepPages;
  /** The angles of the step's rows, which all layers share. */
  #rotations: Tensor | undefined;

  /** Whether there are kernels for these heads and pages. */
  static isPossible({ kernels }: Graph, options: AttentionShapeOptions): boolean {
    return kernels?.attention.supports(shapeOf(options)) === true;
  }

  /**
   * The attention of `spans`; undefined where there are no kernels for these heads and pages. Throws STAGE_FAILED when
   * a span sees a page that was freed or never assigned.
   */
  static plan<Span extends AttentionSpan>(
    graph: Graph,
    spans: readonly Span[],
    options: AttentionOptions,
  ): PagedAttention<Span> | undefined {
    const kernels = graph.kernels?.attention;
    if (kernels === undefined || !PagedAttention.isPossible(graph, options)) return undefined;
    return new PagedAttention(graph, kernels, { spans, options });
  }

  /** How long the spans' page tables are together, padded: steps with as many have the same graph. */
  static tableEntries(spans: readonly AttentionSpan[], { pages, config }: AttentionShapeOptions): number {
    const window = { ...config, pageSize: pages.shape.pageSize };
    const entries = spans.reduce((sum, span) => {
      const { first, last } = visibleEntries(span, window);
      return sum + last - first;
    }, 0);
    return Math.ceil(entries / TABLE_STEP) * TABLE_STEP;
  }

  private constructor(
    graph: Graph,
    kernels: AttentionOperations,
    { spans, options }: { readonly spans: readonly Span[]; readonly options: AttentionOptions },
  ) {
    const { inputs, pages, config } = options;
    const { columns, entries } = describeSpans(spans, { ...config, pageSize: pages.shape.pageSize });
    const tables = new Int32Array(PagedAttention.tableEntries(spans, options));
    tables.set(entries);
    this.order = new RowOrder(spans, spans);
    this.#graph = graph;
    this.#kernels = kernels;
    this.#options = options;
    this.#writer = new KvWriter(graph, this.order, options);
    this.#step = {
      spans: inputs.add(GgmlType.I32, [SPAN_COLUMNS, spans.length], columns),
      tables: inputs.add(GgmlType.I32, [tables.length], tables),
    };
  }

  attend(layer: number, heads: Heads, unrotated?: UnrotatedHeads): Tensor {
    const { pages } = this.#options;
    const inputs = { ...this.#step, kPages: pages.keys(layer), vPages: pages.values(layer) };
    if (unrotated !== undefined && this.#kernels.rotates(unrotated.rope)) {
      const [q, k] = [this.#rows(unrotated.q), this.#rows(unrotated.k)];
      const rotations = this.#rotationsOf(unrotated.rope);
      const write = { ...inputs, q, k, v: heads.v, rotations };
      const written = this.#graph.expand(this.#kernels.writeKv(shapeOf(this.#options), unrotated.rope, write));
      return this.#kernels.attend(shapeOf(this.#options), { ...inputs, q: written });
    }
    this.#writer.write(layer, heads.k, heads.v);
    return this.#kernels.attend(shapeOf(this.#options), { ...inputs, q: this.#rows(heads.q) });
  }

  /** [rows, heads, headDim] -> [rows, heads * headDim] */
  #rows(heads: Tensor): Tensor {
    const [headDim, count, rows] = heads.ne;
    return this.#graph.reshape2d(heads, [headDim * count, rows]);
  }

  #rotationsOf(rope: RopeOptions): Tensor {
    this.#rotations ??= this.#kernels.rotations(rope, this.#step, this.order.rows);
    return this.#rotations;
  }
}

function shapeOf({ pages, config }: AttentionShapeOptions): AttentionShape {
  const { type, pageSize, kvDim } = pages.shape;
  const { nHeads, headDim, slidingWindow } = config;
  return { type, pageSize, headDim, nHeads, nKvHeads: kvDim / headDim, slidingWindow };
}

/**
 * The spans as the kernels read them. With pages of 32 and a window of 16, a span of rows 3 and 4 of the step at
 * positions 70 and 71 sees positions from 55 on: its columns are 3, 2, 70, where its pages begin in the tables, and 1,
 * and its pages are the table's entries 1 and 2.
 */
function describeSpans(
  spans: readonly AttentionSpan[],
  window: { readonly pageSize: number; readonly slidingWindow: number },
): { readonly columns: Int32Array; readonly entries: readonly number[] } {
  const tables: number[] = [];
  let row = 0;
  const columns = spans.flatMap((span) => {
    const entries = visibleEntries(span, window);
    const described = [row, span.count, span.position, tables.length, entries.first];
    for (const page of pagesOf(span, entries)) tables.push(page);
    row += span.count;
    return described;
  });
  return { columns: Int32Array.from(columns), entries: tables };
}
