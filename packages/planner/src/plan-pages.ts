import { RhoneError } from "@rhone/common";
import { type KvShape, livePages } from "./kv-shape.js";
import type { StagePlan } from "./plan-stages.js";

/** Share of the memory left after the weights that pages take, unless one whole sequence needs more. */
const USUAL_SHARE = 0.4;
/** Largest share they may take: activations and the process itself need the rest. */
export const LARGEST_SHARE = 0.9;

export interface PagesRequest {
  readonly stages: readonly StagePlan[];
  readonly shape: KvShape;
  /** Bytes of one page in one layer. */
  readonly pageBytes: number;
  readonly maxSequences: number;
  /** Pages that the operator asks for, or null. */
  readonly wanted: number | null;
}

/** Pages that fit into a share of the memory which the tightest stage has beside its weights. */
export function mostPages(stages: readonly StagePlan[], pageBytes: number, share = LARGEST_SHARE): number {
  return Math.min(
    ...stages.map(({ memoryTotal, weightBytes, first, last }) =>
      Math.floor((share * (memoryTotal - weightBytes)) / (pageBytes * (last - first))),
    ),
  );
}

/**
 * Pages of every stage: `wanted` when it is set, otherwise enough for `maxSequences` whole sequences within 40 % of the
 * memory that the tightest stage has left, and for one whole sequence at least.
 * Throws NOT_ENOUGH_MEMORY when they don't fit, INVALID_CONFIG when `wanted` can't hold one sequence.
 */
export function planPages({ stages, shape, pageBytes, maxSequences, wanted }: PagesRequest): number {
  const { pageSize, contextLength } = shape;
  const least = livePages(contextLength, shape);
  const most = mostPages(stages, pageBytes);
  const usual = mostPages(stages, pageBytes, USUAL_SHARE);
  const pages = wanted ?? Math.max(least, Math.min(least * maxSequences, usual));
  if (pages < least) {
    const message =
      `${pages} pages of ${pageSize} positions can't hold one sequence of ${contextLength} positions; ` +
      `allow at least ${least} pages, or choose a shorter context.`;
    throw new RhoneError("INVALID_CONFIG", message);
  }
  if (pages > most) {
    const message =
      `The K/V cache needs ${pages} pages of ${pageBytes} bytes per layer, but the tightest stage has room for ` +
      `${most} beside its weights. Add workers, give each more memory with --memory, or choose a shorter ` +
      "context, a smaller K/V type or fewer pages.";
    throw new RhoneError("NOT_ENOUGH_MEMORY", message);
  }
  return pages;
}
