/** Cost of layers [first, last) on a stage, in a unit common to all stages; Infinity where they don't fit. */
export type StageCost = (stage: number, first: number, last: number) => number;

/** Costs within this share of each other are equal: they are floating-point sums in different orders. */
const TOLERANCE = 1e-9;

/**
 * Cuts `layers` layers into `stages` runs of at least one layer so that the most expensive stage is as cheap as
 * possible; among equally good cuts, the most even one. Returns the end of each run ([16, 32] for two halves), or null
 * when no cut fits. Exact, by dynamic programming; it evaluates stages * layers² / 2 costs, twice.
 */
export function cutLayers(layers: number, stages: number, cost: StageCost): readonly number[] | null {
  const least = bestEnds({ layers, stages, cost, join: Math.max });
  if (least === null) return null;
  const limit = dearest(least, cost) * (1 + TOLERANCE);
  const withinLimit: StageCost = (stage, first, last) => {
    const each = cost(stage, first, last);
    return each <= limit ? each * each : Number.POSITIVE_INFINITY;
  };
  return bestEnds({ layers, stages, cost: withinLimit, join: (a, b) => a + b });
}

/** The cost of a cut's most expensive stage. */
export function dearest(ends: readonly number[], cost: StageCost): number {
  return Math.max(...ends.map((end, stage) => cost(stage, ends[stage - 1] ?? 0, end)));
}

interface Problem {
  readonly layers: number;
  readonly stages: number;
  readonly cost: StageCost;
  /** Cost of the stages before together with the next stage's; rises with both. */
  readonly join: (before: number, next: number) => number;
}

interface Prefix {
  readonly cost: number;
  /** First layer of the last of its stages. */
  readonly first: number;
}

function bestEnds({ layers, stages, cost, join }: Problem): readonly number[] | null {
  let before: readonly Prefix[] = Array.from({ length: layers + 1 }, (_, end) => ({
    cost: end === 0 ? 0 : Number.POSITIVE_INFINITY,
    first: 0,
  }));
  const table: (readonly Prefix[])[] = [];
  for (let stage = 0; stage < stages; stage++) {
    const previous = before;
    const costUpTo = (end: number) => (first: number) =>
      join(previous[first]?.cost ?? Number.POSITIVE_INFINITY, cost(stage, first, end));
    before = previous.map((_, end) => bestPrefix(previous, end, costUpTo(end)));
    table.push(before);
  }
  if (!Number.isFinite(before[layers]?.cost)) return null;
  const ends: number[] = [];
  for (let stage = stages - 1, end = layers; stage >= 0; end = table[stage--]?.[end]?.first ?? 0) ends.unshift(end);
  return ends;
}

function bestPrefix(previous: readonly Prefix[], end: number, costFrom: (first: number) => number): Prefix {
  let best: Prefix = { cost: Number.POSITIVE_INFINITY, first: 0 };
  for (let first = 0; first < end; first++) {
    if (!Number.isFinite(previous[first]?.cost)) continue;
    const cost = costFrom(first);
    if (cost < best.cost) best = { cost, first };
  }
  return best;
}
