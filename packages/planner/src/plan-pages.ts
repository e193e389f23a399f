import { RhoneError } from "@rhone/common";
import { type KvShape, livePages } from "./kv-shape.js";
import type { StagePlan } from "./plan-stages.js";

/** The share of the memory left after the weights that pages take unless one whole sequence needs more. */
const USUAL_SHARE = 0.4;
/** What they may take at most: the rest is for activations and the process itself. */
export const LARGEST_SHARE = 0.9;

/**
 * How many pages every stage gets: enough for `maxSequences` whole sequences, as far as 40 % of the least stage's
 * remaining memory goes, and never less than one whole sequence. `wanted`, when set, is taken instead if it fits.
 * Throws NOT_ENOUGH_MEMORY naming the stage that holds the least, INVALID_CONFIG when `wanted` cannot hold one sequence.
 */
export function planPages(options: {
  readonly stages: readonly StagePlan[];
  readonly shape: KvShape;
  /** Bytes of one page in one layer. */
  readonly pageBytes: number;
  readonly maxSequences: number;
  readonly wanted: number | null;
}): number {
  const { stages, shape, pageBytes, maxSequences, wanted } = options;
  const least = livePages(shape.contextLength, shape);
  const capacity = (share: number): number =>
    Math.min(
      ...stages.map(({ memoryTotal, weightBytes, first, last }) =>
        Math.floor((share * (memoryTotal - weightBytes)) / (pageBytes * (last - first))),
      ),
    );
  const most = capacity(LARGEST_SHARE);
  const pages = wanted ?? Math.max(least, Math.min(least * maxSequences, capacity(USUAL_SHARE)));
  if (pages < least) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `${pages} pages of ${shape.pageSize} positions cannot hold one sequence of ${shape.contextLength}: give at least ${least}.`,
    );
  }
  if (pages > most) {
    throw new RhoneError(
      "NOT_ENOUGH_MEMORY",
      `${pages} pages (${pageBytes} bytes each per layer) do not fit: after its weights the least stage has room for ${most}. ` +
        "Add workers, give them more memory, or choose a shorter context, a smaller K/V type or fewer pages.",
    );
  }
  return pages;
}
