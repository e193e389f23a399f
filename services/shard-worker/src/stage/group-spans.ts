import type { StepSpan } from "./step-inputs.js";

/** A span and the entries [first, last) of its page table that its rows see. */
export interface GroupMember {
  readonly span: StepSpan;
  readonly first: number;
  readonly last: number;
}

/** Spans that attend together: as many rows each, and room for as many pages each. */
export interface GroupedSpans {
  readonly members: readonly GroupMember[];
  readonly count: number;
  readonly pages: number;
}

export interface GroupOptions {
  readonly pageSize: number;
  readonly slidingWindow: number;
  /** What one gathered page takes, K and V together. */
  readonly pageBytes: number;
}

/** A group gathers no more than this, unless one sequence alone does: gathered pages stay in the processor's caches. */
const GROUP_BYTES = 8 * 1024 * 1024;
/** Pages that a group may have more than its shortest member, as a share of the shortest's. */
const PADDING = 0.25;

/** Puts single-row spans of similar length together, shortest first, so that a layer's attention is few operations; then the others. */
export function groupSpans(spans: readonly StepSpan[], options: GroupOptions): readonly GroupedSpans[] {
  const members = spans.map((span) => memberOf(span, options));
  const singles = members.filter(({ span }) => span.count === 1).sort((a, b) => pagesOf(a) - pagesOf(b));
  const groups: GroupMember[][] = [];
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

function memberOf(span: StepSpan, { pageSize, slidingWindow }: GroupOptions): GroupMember {
  const { position, count } = span;
  const from = slidingWindow === 0 ? 0 : Math.max(0, position - slidingWindow + 1);
  return { span, first: Math.floor(from / pageSize), last: Math.ceil((position + count) / pageSize) };
}

const pagesOf = ({ first, last }: GroupMember): number => last - first;

function fits(group: readonly GroupMember[], member: GroupMember, { pageBytes }: GroupOptions): boolean {
  const [shortest] = group;
  if (shortest === undefined) return true;
  const pages = pagesOf(member);
  const allowed = Math.max(pagesOf(shortest) + 1, Math.floor(pagesOf(shortest) * (1 + PADDING)));
  return pages <= allowed && (group.length + 1) * pages * pageBytes <= GROUP_BYTES;
}
