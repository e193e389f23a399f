import { RhoneError } from "@rhone/common";
import { GgmlType, type Graph, rowSize, type Tensor } from "@rhone/ggml";
import type { rhone } from "@rhone/proto";
import type { PageTable } from "../kv-cache/page-table.js";
import type { PagesShape } from "../kv-cache/pages.js";
import type { AttentionInputs, SpanGroup } from "../model/attention.js";
import { type GroupedSpans, groupSpans } from "./group-spans.js";
import { RowOrder } from "./row-order.js";

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
  readonly order: RowOrder<StepSpan>;
  /** Fills the inputs; after `graph.allocate()`. */
  readonly fill: () => void;
}

interface InputOptions {
  readonly shape: PagesShape;
  readonly slidingWindow: number;
  readonly ropeFreqs: Tensor | undefined;
}

type Input = (type: GgmlType, ne: Parameters<Graph["input"]>[1], data: ArrayBufferView) => Tensor;

const F16_MINUS_INFINITY = 0xfc00;

/** Describes positions, cache rows, page lists and masks of a step. A token at position p sees [max(0, p - W + 1), p]. */
export function describeInputs(graph: Graph, spans: readonly StepSpan[], options: InputOptions): StepInputs {
  const fills: [Tensor, ArrayBufferView][] = [];
  const input: Input = (type, ne, data) => {
    const tensor = graph.input(type, ne);
    fills.push([tensor, data]);
    return tensor;
  };
  const { shape, slidingWindow, ropeFreqs } = options;
  const pageBytes = (rowSize(shape.type, shape.kvDim) + rowSize(GgmlType.F32, shape.kvDim)) * shape.pageSize;
  const grouped = groupSpans(spans, { pageSize: shape.pageSize, slidingWindow, pageBytes });
  const computed = grouped.flatMap(({ members }) => members.map(({ span }) => span));
  const rows = computed.reduce((sum, { count }) => sum + count, 0);
  let row = 0;
  const groups = grouped.map((group) => {
    const described = describeGroup(group, row, options, input);
    row += group.count * group.members.length;
    return described;
  });
  const attention = {
    positions: input(
      GgmlType.I32,
      [rows],
      eachRow(computed, (span, i) => span.position + i),
    ),
    cacheRows: input(
      GgmlType.I32,
      [rows],
      eachRow(computed, (span, i) => span.table.rowOf(span.position + i)),
    ),
    groups,
    ropeFreqs,
  };
  const fill = (): void => {
    // Page ids of a run, and what only dropped rows would have needed, have no memory.
    for (const [tensor, data] of fills) if (graph.isNeeded(tensor)) graph.setInput(tensor, data);
  };
  return { attention, rows, order: new RowOrder(spans, computed), fill };
}

function eachRow(spans: readonly StepSpan[], of: (span: StepSpan, i: number) => number): Int32Array {
  return Int32Array.from(spans.flatMap((span) => Array.from({ length: span.count }, (_, i) => of(span, i))));
}

function describeGroup(group: GroupedSpans, row: number, options: InputOptions, input: Input): SpanGroup {
  const { members, count, pages } = group;
  const { pageSize } = options.shape;
  const positions = pages * pageSize;
  const ids = new Int32Array(members.length * pages);
  const mask = new Uint16Array(members.length * count * positions).fill(F16_MINUS_INFINITY);
  for (const [i, { span, first, last }] of members.entries()) {
    if (first < span.firstPage) {
      const message = `Position ${span.position} sees page ${first}, but pages before ${span.firstPage} are freed.`;
      throw new RhoneError("STAGE_FAILED", message);
    }
    const table = span.table.slice(first, last);
    ids.fill(table[0] ?? 0, i * pages, (i + 1) * pages);
    ids.set(table, i * pages);
    const own = mask.subarray(i * count * positions, (i + 1) * count * positions);
    fillMask(own, span, { start: first * pageSize, positions, slidingWindow: options.slidingWindow });
  }
  const run = members.length === 1 && areConsecutive(ids) ? ids[0] : undefined;
  return {
    row,
    count,
    see: { sequences: members.length, pages, ids: input(GgmlType.I32, [ids.length], ids), run },
    mask: input(GgmlType.F16, [positions, count, 1, members.length], mask),
  };
}

interface MaskShape {
  /** The position of the mask's first column. */
  readonly start: number;
  readonly positions: number;
  readonly slidingWindow: number;
}

/**
 * Writes 0 where a row sees a position. With pages of 32 and W = 16, a span of positions 70 and 71 sees from position 55 on:
 * from page 1 (32–63), so that the mask starts at 32; row 70 sees columns 23 to 38 and row 71 columns 24 to 39.
 */
function fillMask(
  mask: Uint16Array,
  { position, count }: StepSpan,
  { start, positions, slidingWindow }: MaskShape,
): void {
  for (let i = 0; i < count; i++) {
    const p = position + i;
    const least = slidingWindow === 0 ? 0 : Math.max(0, p - slidingWindow + 1);
    mask.fill(0, i * positions + least - start, i * positions + p - start + 1);
  }
}

/** Whether each id is one more than the one before. */
function areConsecutive(ids: Int32Array): boolean {
  return ids.every((id, i) => i === 0 || id === (ids[i - 1] ?? 0) + 1);
}
