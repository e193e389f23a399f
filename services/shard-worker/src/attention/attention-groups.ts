import { firstVisiblePosition } from "@rhone/planner";
import type { AttentionSpan } from "./attention.js";

/** A span and the entries [first, last) of its page table that its rows see. */
export interface GroupMember<Span extends AttentionSpan> {
  readonly span: Span;
  readonly first: number;
  readonly last: number;
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
  const members = spans.map((span) => memberOf(span, options));
  const singles = members.filter(({ span }) => span.count === 1).sort((a, b) => pagesOf(a) - pagesOf(b));
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
    pages: Math.max(...group.map(pagesOf)),
  }));
}

function memberOf<Span extends AttentionSpan>(
  span: Span,
  { pageSize, slidingWindow }: GroupingOptions,
): GroupMember<Span> {
  const { position, count } = span;
  const first = Math.floor(firstVisiblePosition(position, slidingWindow) / pageSize);
  return { span, first, last: Math.ceil((position + count) / pageSize) };
}

const pagesOf = ({ first, last }: GroupMember<AttentionSpan>): number => last - first;

function fits(
  group: readonly GroupMember<AttentionSpan>[],
  member: GroupMember<AttentionSpan>,
  { pageBytes }: GroupingOptions,
): boolean {
  const [shortest] = group;
  if (shortest === undefined) return true;
  const pages = pagesOf(member);
  const allowed = Math.max(pagesOf(shortest) + 1, Math.floor(pagesOf(shortest) * (1 + MAX_PADDING)));
  return pages <= allowed && (group.length + 1) * pages * pageBytes <= MAX_GROUP_BYTES;
}
