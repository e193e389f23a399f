import { RhoneError } from "@rhone/common";
import { GgmlType, type Graph, type Tensor } from "@rhone/ggml";
import type { rhone } from "@rhone/proto";
import type { PageTable } from "../kv-cache/page-table.js";
import { areConsecutive, type PagesShape } from "../kv-cache/pages.js";
import type { AttentionInputs, SpanView } from "../model/attention.js";

/** A span of the step with its defaults filled in and its sequence's page table. */
export interface StepSpan {
  readonly sequence: number;
  readonly position: number;
  readonly count: number;
  readonly firstPage: number;
  readonly table: PageTable;
  readonly message: rhone.v1.Span.$Properties;
}

export interface StepInputs {
  readonly attention: AttentionInputs;
  readonly rows: number;
  /** Fills the inputs; after `graph.allocate()`. */
  readonly fill: () => void;
}

const F16_MINUS_INFINITY = 0xfc00;

/** Describes positions, cache rows, page lists and masks of a step. A token at position p sees [max(0, p - W + 1), p]. */
export function describeInputs(
  graph: Graph,
  spans: readonly StepSpan[],
  options: { readonly shape: PagesShape; readonly slidingWindow: number; readonly ropeFreqs: Tensor | undefined },
): StepInputs {
  const rows = spans.reduce((sum, { count }) => sum + count, 0);
  const fills: [Tensor, ArrayBufferView][] = [];
  const input = (type: GgmlType, ne: readonly [number, number] | readonly [number], data: ArrayBufferView): Tensor => {
    const tensor = graph.input(type, ne);
    fills.push([tensor, data]);
    return tensor;
  };
  const positions = new Int32Array(rows);
  const cacheRows = new Int32Array(rows);
  let row = 0;
  const views: SpanView[] = [];
  for (const span of spans) {
    for (let i = 0; i < span.count; i++) {
      positions[row + i] = span.position + i;
      cacheRows[row + i] = span.table.rowOf(span.position + i);
    }
    views.push({ row, count: span.count, ...viewOf(span, options, input) });
    row += span.count;
  }
  const attention = {
    positions: input(GgmlType.I32, [rows], positions),
    cacheRows: input(GgmlType.I32, [rows], cacheRows),
    spans: views,
    ropeFreqs: options.ropeFreqs,
  };
  return {
    attention,
    rows,
    fill: () => {
      for (const [tensor, data] of fills) graph.setInput(tensor, data);
    },
  };
}

type Input = (type: GgmlType, ne: readonly [number, number] | readonly [number], data: ArrayBufferView) => Tensor;

/**
 * With pages of 32 and W = 16, a span of positions 70 and 71 sees from position 55 on: page 1 (32–63), 23 rows skipped, and
 * page 2 (64–95) up to row 7: 17 rows in all, of which row 70 sees the first 16 and row 71 the last 16.
 */
function viewOf(
  span: StepSpan,
  { shape: { pageSize }, slidingWindow }: { readonly shape: PagesShape; readonly slidingWindow: number },
  input: Input,
): Pick<SpanView, "see" | "mask"> {
  const { position, count, firstPage, table } = span;
  const from = slidingWindow === 0 ? 0 : Math.max(0, position - slidingWindow + 1);
  const end = position + count;
  const first = Math.floor(from / pageSize);
  if (first < firstPage) {
    throw new RhoneError(
      "STAGE_FAILED",
      `Position ${position} sees page ${first}, but pages before ${firstPage} are freed.`,
    );
  }
  const ids = table.slice(first, Math.ceil(end / pageSize));
  const gather = areConsecutive(ids) ? undefined : input(GgmlType.I32, [ids.length], Int32Array.from(ids));
  const see = { ids, gather, skip: from - first * pageSize, count: end - from };
  const mask =
    count === 1 ? undefined : input(GgmlType.F16, [see.count, count], maskOf({ position, count, from, slidingWindow }));
  return { see, mask };
}

interface MaskShape {
  readonly position: number;
  readonly count: number;
  readonly from: number;
  readonly slidingWindow: number;
}

/** f16 [count, end - from]: 0 where a row sees a position, -Infinity elsewhere. */
function maskOf({ position, count, from, slidingWindow }: MaskShape): Uint16Array {
  const width = position + count - from;
  const mask = new Uint16Array(width * count).fill(F16_MINUS_INFINITY);
  for (let i = 0; i < count; i++) {
    const p = position + i;
    const least = slidingWindow === 0 ? 0 : Math.max(0, p - slidingWindow + 1);
    mask.fill(0, i * width + least - from, i * width + p - from + 1);
  }
  return mask;
}
