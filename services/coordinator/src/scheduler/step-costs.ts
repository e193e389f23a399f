import { type PipelineTimes, slowestStageMs, sumOfStagesMs } from "@rhone/planner";

/** What a step of so many rows takes, as far as it was measured. Milliseconds. */
interface Measured {
  slowest: number;
  total: number;
}

/** How much the latest step weighs. */
const WEIGHT = 0.2;
/** Sizes at which the workers' own measurements are taken over. */
const CALIBRATED_ROWS = [1, 2, 4, 8, 16, 32];

/**
 * The step-time curve of one pipeline: what the workers measured when they loaded, corrected by every step since.
 * ggml's kernels make some sizes dear and others cheap
 * (repacked Q4_0 on 2 threads: 15, 28, 25, 49, 70, 141 ms for 1, 2, 4, 8, 16, 32 rows), so that no formula gives it.
 */
export class StepCosts {
  readonly #measured = new Map<number, Measured>();
  #overheadMs = 0;

  /** `times`: what the workers measured, or null. */
  constructor(times: PipelineTimes | null = null) {
    for (const rows of times === null ? [] : CALIBRATED_ROWS) {
      this.#measured.set(rows, { slowest: slowestStageMs(times ?? [], rows), total: sumOfStagesMs(times ?? [], rows) });
    }
  }

  /** Time of a step outside the stages: hops, and the coordinator itself. */
  get overheadMs(): number {
    return this.#overheadMs;
  }

  get known(): boolean {
    return this.#measured.size > 0;
  }

  /** A step of `rows` rows took `stageMs` in each stage, and `overheadMs` between them. */
  observe(rows: number, stageMs: readonly number[], overheadMs: number): void {
    if (rows === 0 || stageMs.length === 0) return;
    const slowest = Math.max(...stageMs);
    const total = stageMs.reduce((sum, ms) => sum + ms, 0);
    const bucket = bucketOf(rows);
    const scale = bucket / rows;
    const old = this.#measured.get(bucket);
    if (old === undefined) this.#measured.set(bucket, { slowest: slowest * scale, total: total * scale });
    else {
      old.slowest += WEIGHT * (slowest * scale - old.slowest);
      old.total += WEIGHT * (total * scale - old.total);
    }
    this.#overheadMs += WEIGHT * (Math.max(0, overheadMs) - this.#overheadMs);
  }

  /** Milliseconds that the slowest stage takes for `rows` rows; 0 while nothing is known. */
  slowest(rows: number): number {
    return this.#estimate(rows, (measured) => measured.slowest);
  }

  /** Milliseconds that all stages together take for `rows` rows; 0 while nothing is known. */
  total(rows: number): number {
    return this.#estimate(rows, (measured) => measured.total);
  }

  /**
   * Milliseconds of a cycle, in which every sequence gets one token, with `groups` micro-batches of `rows` rows: they queue
   * at the slowest stage, and one goes through all stages at least.
   */
  cycle(rows: number, groups: number): number {
    return Math.max(groups * this.slowest(rows), this.total(rows) + this.#overheadMs);
  }

  /** The most rows, up to `most`, whose slowest stage takes no longer than `limitMs`; 0 when even one row takes longer. */
  rowsWithin(limitMs: number, most: number): number {
    let rows = most;
    while (rows > 0 && this.slowest(rows) > limitMs) rows = rows > 64 ? Math.floor(rows * 0.9) : rows - 1;
    return rows;
  }

  /** Between measured sizes a straight line; below the least its own time, above the largest in proportion. */
  #estimate(rows: number, of: (measured: Measured) => number): number {
    let below: [number, number] | undefined;
    let above: [number, number] | undefined;
    for (const [size, measured] of this.#measured) {
      if (size <= rows && (below === undefined || size > below[0])) below = [size, of(measured)];
      if (size >= rows && (above === undefined || size < above[0])) above = [size, of(measured)];
    }
    if (below === undefined) return above?.[1] ?? 0;
    if (above === undefined) return (below[1] * rows) / below[0];
    if (above[0] === below[0]) return below[1];
    return below[1] + ((above[1] - below[1]) * (rows - below[0])) / (above[0] - below[0]);
  }
}

/** Sizes up to 8 are told apart, larger ones by quarters of a power of two: 9 and 10 count as 10, 100 as 96. */
function bucketOf(rows: number): number {
  if (rows <= 8) return rows;
  const quarter = 2 ** (Math.floor(Math.log2(rows)) - 2);
  return Math.max(8, Math.round(rows / quarter) * quarter);
}
