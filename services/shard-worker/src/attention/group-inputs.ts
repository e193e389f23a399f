import { RhoneError } from "@rhone/common";
import { GgmlType, type Tensor } from "@rhone/ggml";
import type { AttentionSpan } from "./attention.js";
import type { AttentionGroup } from "./attention-groups.js";
import { attentionMask } from "./attention-mask.js";
import type { VisiblePages } from "./gather-pages.js";
import type { StepInputs } from "./step-inputs.js";

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
    const entries = visiblePages(span, first, last);
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

function visiblePages({ position, firstPage, table }: AttentionSpan, first: number, last: number): readonly number[] {
  if (first >= firstPage) return table.slice(first, last);
  throw new RhoneError(
    "STAGE_FAILED",
    `Position ${position} sees page ${first} of its sequence, but the pages before ${firstPage} were freed.`,
  );
}

const areConsecutive = (ids: Int32Array): boolean => ids.every((id, i) => i === 0 || id === (ids[i - 1] ?? 0) + 1);
