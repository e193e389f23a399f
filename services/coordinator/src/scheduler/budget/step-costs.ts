import { groupSizes, type PipelineTimes, slowestStageMs, sumOfStagesMs } from "@rhone/planner";

/** What a step of so many rows takes. Milliseconds. */
interface Cost {
  readonly slowest: number;
  readonly total: number;
}

interface SeenCost extends Cost {
  /** The step that was the last of its size. */
  readonly at: number;
}

/** How much the latest step weighs, when it was slower than thought and when it was faster: other processes only slow steps down. */
const WEIGHT_UP = 0.1;
const WEIGHT_DOWN = 0.4;
/** One step tells no more than that: the first of its size may have to fetch all its memory. */
const MOST_SLOWER = 2;
/** Sizes at which the workers' own measurements are taken over. */
const CALIBRATED_ROWS = [1, 2, 4, 8, 16, 32];
/** A size that was not tried lately looks so much better than what is known of it: it is tried rather than never known. */
const CURIOSITY = 0.85;
/** Steps after which a size was not tried lately. */
const LATELY = 8192;
/** Rows that ggml's AMX kernels compute at once; the other kernels' 4 divide it. */
const BLOCK = 32;
/** Fewer rows cost at most so much more than more rows do, whatever the calibration says. */
const DEARER = 1.25;

/**
 * The step-time curve of one pipeline: what the workers measured when they loaded, corrected by every step since.
 * ggml's kernels make some sizes dear and others cheap (repacked Q4_0 on 2 threads: 15, 28, 25, 49, 70, 141 ms for 1, 2, 4, 8,
 * 16, 32 rows), so that no formula gives it.
 */
export class StepCosts {
  readonly #calibrated: ReadonlyMap<number, Cost>;
  readonly #seen = new Map<number, SeenCost>();
  /** Calibrated and seen together, until the next step. */
  #points: ReadonlyMap<number, Cost> | null = null;
  #steps = 0;
  /** How much steps take against their calibration, now. */
  #drift = 1;
  #overheadMs = 0;

  /** `times`: what the workers measured, or null. */
  constructor(times: PipelineTimes | null = null) {
    this.#calibrated = times === null ? new Map() : calibrated(times);
  }

  /** Time of a step outside the stages: hops, and the coordinator itself. */
  get overheadMs(): number {
    return this.#overheadMs;
  }

  get known(): boolean {
    return this.#calibrated.size + this.#seen.size > 0;
  }

  /** A step of `rows` rows took `stageMs` in each stage, and `overheadMs` between them. */
  observe(rows: number, stageMs: readonly number[], overheadMs: number): void {
    if (rows === 0 || stageMs.length === 0) return;
    const bucket = bucketOf(rows);
    const scale = bucket / rows;
    const slowest = Math.max(...stageMs) * scale;
    const total = stageMs.reduce((sum, ms) => sum + ms, 0) * scale;
    const expected = estimate(this.#calibrated, bucket);
    const old = this.#seen.get(bucket) ?? (expected === undefined ? { slowest, total } : times(expected, this.#drift));
    const at = ++this.#steps;
    this.#points = null;
    this.#seen.set(bucket, { slowest: blend(old.slowest, slowest), total: blend(old.total, total), at });
    this.#overheadMs = blend(this.#overheadMs, Math.max(0, overheadMs));
    if (expected !== undefined && expected.slowest > 0) this.#drift = blend(this.#drift, slowest / expected.slowest);
  }

  /** Milliseconds that the slowest stage takes for `rows` rows; 0 while nothing is known. */
  slowest(rows: number): number {
    return this.#cost(rows).slowest;
  }

  /** Milliseconds that all stages together take for `rows` rows; 0 while nothing is known. */
  total(rows: number): number {
    return this.#cost(rows).total;
  }

  /**
   * Milliseconds of a cycle, in which each of `sequences` gets one token, in `groups` micro-batches as equal as can be: they
   * queue at the slowest stage, and the greatest goes through all stages at least.
   */
  cycle(sequences: number, groups: number): number {
    const sizes = groupSizes(sequences, groups);
    const queued = sizes.reduce((ms, { rows, count }) => ms + count * this.slowest(rows), 0);
    return Math.max(queued, this.total(sizes[0].rows) + this.#overheadMs);
  }

  /**
   * The most rows, up to `most`, whose slowest stage takes no longer than `limitMs`; 0 when even one row takes longer. Above a
   * block only whole ones: one that is begun costs as much as a full one.
   */
  rowsWithin(limitMs: number, most: number): number {
    let rows = most;
    while (rows > 0 && this.slowest(rows) > limitMs)
      rows = rows > BLOCK ? BLOCK * (Math.ceil(rows / BLOCK) - 1) : rows - 1;
    return rows;
  }

  #cost(rows: number): Cost {
    this.#points ??= this.#allPoints();
    return estimate(this.#points, rows) ?? { slowest: 0, total: 0 };
  }

  #allPoints(): ReadonlyMap<number, Cost> {
    const points = new Map<number, Cost>();
    for (const [size, cost] of this.#calibrated) points.set(size, times(cost, this.#drift * CURIOSITY));
    for (const [size, cost] of this.#seen)
      points.set(size, this.#steps - cost.at < LATELY ? cost : times(cost, CURIOSITY));
    return plausible(points);
  }
}

function blend(old: number, now: number): number {
  if (now < old) return old + WEIGHT_DOWN * (now - old);
  return old === 0 ? now : old + WEIGHT_UP * (Math.min(now, MOST_SLOWER * old) - old);
}

function calibrated(stages: PipelineTimes): ReadonlyMap<number, Cost> {
  const cost = (rows: number): Cost => ({ slowest: slowestStageMs(stages, rows), total: sumOfStagesMs(stages, rows) });
  return plausible(new Map(CALIBRATED_ROWS.map((rows) => [rows, cost(rows)])));
}

/**
 * Costs without what can't be, which is what another process did to some measurement: n rows are never dearer than n/m times
 * m rows, nor few rows much dearer than many.
 */
function plausible(points: ReadonlyMap<number, Cost>): ReadonlyMap<number, Cost> {
  const bounded = new Map<number, Cost>();
  for (const rows of points.keys()) {
    let [slowest, total] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const [other, cost] of points) {
      const factor = other === rows ? 1 : other < rows ? Math.ceil(rows / other) : DEARER;
      slowest = Math.min(slowest, factor * cost.slowest);
      total = Math.min(total, factor * cost.total);
    }
    bounded.set(rows, { slowest, total });
  }
  return bounded;
}

/** Between known sizes a straight line; below the least its own cost, above the largest in proportion. */
function estimate(points: ReadonlyMap<number, Cost>, rows: number): Cost | undefined {
  let below: number | undefined;
  let above: number | undefined;
  for (const size of points.keys()) {
    if (size <= rows && (below === undefined || size > below)) below = size;
    if (size >= rows && (above === undefined || size < above)) above = size;
  }
  const low = below === undefined ? undefined : points.get(below);
  const high = above === undefined ? undefined : points.get(above);
  if (low === undefined || below === undefined) return high;
  if (high === undefined || above === undefined) return times(low, rows / below);
  const share = above === below ? 0 : (rows - below) / (above - below);
  return {
    slowest: low.slowest + share * (high.slowest - low.slowest),
    total: low.total + share * (high.total - low.total),
  };
}

const times = ({ slowest, total }: Cost, factor: number): Cost => ({
  slowest: slowest * factor,
  total: total * factor,
});

/** Sizes up to 16 are told apart, larger ones by eighths of a power of two: 17 counts as 18, 100 as 104. */
function bucketOf(rows: number): number {
  if (rows <= 16) return rows;
  const eighth = 2 ** (Math.floor(Math.log2(rows)) - 3);
  return Math.round(rows / eighth) * eighth;
}
