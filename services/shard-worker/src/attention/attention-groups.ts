import { GgmlType, type Tensor } from "@rhone/ggml";
import { firstVisiblePosition } from "@rhone/planner";
import type { AttentionSpan, StepInputs } from "./attention.js";
import { pagesOf, type TableEntries, visibleEntries } from "./visible-pages.js";

/** A span and the entries [first, last) of its page table that its rows see. */
export interface GroupMember<Span extends AttentionSpan> extends TableEntries {
  readonly span: Span;
}

/** Spans that attend in one operation: equally many rows each, padded to equally many pages. */
export interface AttentionGroup<Span extends AttentionSpan> {
  readonly members: readonly GroupMember<Span>[];
  /** Rows per member. */
  readonly count: number;
  /** Pages per member. */
  readonly pages: number;
}

export interface GroupingOptions {
  readonly pageSize: number;
  /** Positions that a token sees, itself included; 0 without a window. */
  readonly slidingWindow: number;
  /** Bytes of one gathered page, K and V together. */
  readonly pageBytes: number;
}

/** Most bytes that a group gathers, unless it has one member: gathered pages should stay in the processor's caches. */
const MAX_GROUP_BYTES = 8 * 1024 * 1024;
/** How many more pages the longest member may have than the shortest, as a share of the shortest's. */
const MAX_PADDING = 0.25;

/**
 * Groups single-row spans of similar length, shortest first, so that attention takes few operations per layer. Spans
 * with several rows come last, each in a group of its own.
 */
export function groupForAttention<Span extends AttentionSpan>(
  spans: readonly Span[],
  options: GroupingOptions,
): readonly AttentionGroup<Span>[] {
  const members = spans.map((span) => ({ span, ...visibleEntries(span, options) }));
  const singles = members.filter(({ span }) => span.count === 1).sort((a, b) => lengthOf(a) - lengthOf(b));
  const groups: GroupMember<Span>[][] = [];
  for (const member of singles) {
    const group = groups.at(-1);
    if (group !== undefined && fits(group, member, options)) group.push(member);
    else groups.push([member]);
  }
  const longer = members.filter(({ span }) => span.count !== 1).map((member) => [member]);
  return [...groups, ...longer].map((group) => ({
    members: group,
    count: group[0]?.span.count ?? 0,
    pages: Math.max(...group.map(lengthOf)),
  }));
}

const lengthOf = ({ first, last }: TableEntries): number => last - first;

function fits(
  group: readonly GroupMember<AttentionSpan>[],
  member: GroupMember<AttentionSpan>,
  { pageBytes }: GroupingOptions,
): boolean {
  const [shortest] = group;
  if (shortest === undefined) return true;
  const pages = lengthOf(member);
  const allowed = Math.max(lengthOf(shortest) + 1, Math.floor(lengthOf(shortest) * (1 + MAX_PADDING)));
  return pages <= allowed && (group.length + 1) * pages * pageBytes <= MAX_GROUP_BYTES;
}

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

/** A group's tensors: rows [row, row + visible.sequences * count) of the step. */
export interface GroupInputs {
  readonly row: number;
  readonly count: number;
  readonly visible: VisiblePages;
  /** f16 [sequences, 1, count, positions] (ne [positions, count, 1, sequences]): 0 or -Infinity. */
  readonly mask: Tensor;
}

interface DescribeOptions {
  readonly inputs: StepInputs;
  readonly pageSize: number;
  readonly slidingWindow: number;
}

/**
 * Declares a group's page list and mask; `row` is its first row. Throws STAGE_FAILED when a member sees a page that was
 * freed or never assigned.
 */
export function describeGroup(
  { members, count, pages }: AttentionGroup<AttentionSpan>,
  row: number,
  { inputs, pageSize, slidingWindow }: DescribeOptions,
): GroupInputs {
  const positions = pages * pageSize;
  const ids = new Int32Array(members.length * pages);
  const mask = new Uint16Array(members.length * count * positions);
  for (const [i, { span, first, last }] of members.entries()) {
    const entries = pagesOf(span, { first, last });
    ids.fill(entries[0] ?? 0, i * pages, (i + 1) * pages);
    ids.set(entries, i * pages);
    mask.set(attentionMask(span, { start: first * pageSize, positions, slidingWindow }), i * count * positions);
  }
  const run = members.length === 1 && areConsecutive(ids) ? ids[0] : undefined;
  return {
    row,
    count,
    visible: { sequences: members.length, pages, ids: inputs.add(GgmlType.I32, [ids.length], ids), run },
    mask: inputs.add(GgmlType.F16, [positions, count, 1, members.length], mask),
  };
}

const areConsecutive = (ids: Int32Array): boolean => ids.every((id, i) => i === 0 || id === (ids[i - 1] ?? 0) + 1);

const F16_MINUS_INFINITY = 0xfc00;

export interface MaskShape {
  /** The position of the mask's first column. */
  readonly start: number;
  /** Columns: positions that the span's pages hold, padding included. */
  readonly positions: number;
  /** Positions that a token sees, itself included; 0 without a window. */
  readonly slidingWindow: number;
}

/**
 * One span's mask, f16 [count, positions]: 0 where a row sees a position, -Infinity elsewhere. With pages of 32 and
 * window 16, a span of positions 70 and 71 sees positions from 55 on. Its mask therefore starts with page 1, at
 * position 32: row 70 sees columns 23 to 38, row 71 columns 24 to 39.
 */
export function attentionMask(
  { position, count }: Pick<AttentionSpan, "position" | "count">,
  { start, positions, slidingWindow }: MaskShape,
): Uint16Array {
  const mask = new Uint16Array(count * positions).fill(F16_MINUS_INFINITY);
  for (let i = 0; i < count; i++) {
    const p = position + i;
    const row = i * positions - start;
    mask.fill(0, row + firstVisiblePosition(p, slidingWindow), row + p + 1);
  }
  return mask;
}
