import { RhoneError } from "@rhone/common";
import { firstVisiblePosition } from "@rhone/planner";
import type { AttentionSpan } from "./attention.js";

/** Entries [first, last) of a page table. */
export interface TableEntries {
  readonly first: number;
  readonly last: number;
}

/** The entries of its page table that a span's rows see. `slidingWindow`: 0 without a window. */
export function visibleEntries(
  { position, count }: Pick<AttentionSpan, "position" | "count">,
  { pageSize, slidingWindow }: { readonly pageSize: number; readonly slidingWindow: number },
): TableEntries {
  const first = Math.floor(firstVisiblePosition(position, slidingWindow) / pageSize);
  return { first, last: Math.ceil((position + count) / pageSize) };
}

/** The page ids of these entries. Throws STAGE_FAILED when one of them was freed or never assigned. */
export function pagesOf(
  { position, firstPage, table }: AttentionSpan,
  { first, last }: TableEntries,
): readonly number[] {
  if (first >= firstPage) return table.slice(first, last);
  throw new RhoneError(
    "STAGE_FAILED",
    `Position ${position} sees page ${first} of its sequence, but the pages before ${firstPage} were freed.`,
  );
}
