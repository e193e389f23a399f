import {
  type AttentionShape,
  GgmlType,
  type Graph,
  type KernelOperations,
  SPAN_COLUMNS,
  type Tensor,
} from "@rhone/ggml";
import type { Heads } from "@rhone/model";
import type { AttentionOptions, AttentionSpan, StepAttention } from "./attention.js";
import { KvWriter } from "./kv-writer.js";
import { RowOrder } from "./row-order.js";
import { pagesOf, visibleEntries } from "./visible-pages.js";

/**
 * Attention by Rhone's own kernels, which read the pages in place: nothing is gathered, and no mask is made. Spans of
 * any lengths attend in one operation, in the frame's order.
 */
export class PagedAttention<Span extends AttentionSpan> implements StepAttention<Span> {
  readonly order: RowOrder<Span>;
  readonly #graph: Graph;
  readonly #kernels: KernelOperations;
  readonly #options: AttentionOptions;
  readonly #writer: KvWriter;
  /** i32 [spans, SPAN_COLUMNS]. */
  readonly #spans: Tensor;
  /** i32: the page ids that the spans see, span by span. */
  readonly #tables: Tensor;

  /**
   * The attention of `spans`; undefined where there are no kernels for these heads and pages. Throws STAGE_FAILED when
   * a span sees a page that was freed or never assigned.
   */
  static plan<Span extends AttentionSpan>(
    graph: Graph,
    spans: readonly Span[],
    options: AttentionOptions,
  ): PagedAttention<Span> | undefined {
    const { kernels } = graph;
    if (kernels === undefined || !kernels.attends(shapeOf(options))) return undefined;
    return new PagedAttention(graph, kernels, { spans, options });
  }

  private constructor(
    graph: Graph,
    kernels: KernelOperations,
    { spans, options }: { readonly spans: readonly Span[]; readonly options: AttentionOptions },
  ) {
    const { inputs, pages, config } = options;
    const { columns, tables } = describeSpans(spans, { ...config, pageSize: pages.shape.pageSize });
    this.order = new RowOrder(spans, spans);
    this.#graph = graph;
    this.#kernels = kernels;
    this.#options = options;
    this.#writer = new KvWriter(graph, this.order, options);
    this.#spans = inputs.add(GgmlType.I32, [SPAN_COLUMNS, spans.length], columns);
    this.#tables = inputs.add(GgmlType.I32, [tables.length], tables);
  }

  attend(layer: number, { q, k, v }: Heads): Tensor {
    const { pages } = this.#options;
    this.#writer.write(layer, k, v);
    const [headDim, nHeads, rows] = q.ne;
    return this.#kernels.attend(shapeOf(this.#options), {
      q: this.#graph.reshape2d(q, [headDim * nHeads, rows]),
      k: pages.keys(layer),
      v: pages.values(layer),
      spans: this.#spans,
      tables: this.#tables,
    });
  }
}

function shapeOf({ pages, config }: AttentionOptions): AttentionShape {
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
): { readonly columns: Int32Array; readonly tables: Int32Array } {
  const tables: number[] = [];
  let row = 0;
  const columns = spans.flatMap((span) => {
    const entries = visibleEntries(span, window);
    const described = [row, span.count, span.position, tables.length, entries.first];
    for (const page of pagesOf(span, entries)) tables.push(page);
    row += span.count;
    return described;
  });
  return { columns: Int32Array.from(columns), tables: Int32Array.from(tables) };
}
