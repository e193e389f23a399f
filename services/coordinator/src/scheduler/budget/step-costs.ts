import { CALIBRATED_ROWS, groupSizes, type PipelineTimes, slowestStageMs, sumOfStagesMs } from "@rhone/planner";
import { TUNING } from "./tuning.js";

/** The time of a step of one size, in milliseconds. */
interface Cost {
  /** In the slowest stage. */
  readonly slowest: number;
  /** In all stages together. */
  readonly total: number;
}

interface SeenCost extends Cost {
  /** The number of the last step of this size. */
  readonly at: number;
}

/** The times of one step, in milliseconds. */
export interface StepTimes {
  /** In each stage; empty when the stages did not measure it. */
  readonly stageMs: readonly number[];
  /** Between the stages and in the coordinator. */
  readonly overheadMs: number;
}

/**
 * The step-time curve of one pipeline: the workers' calibration, corrected by every step since. It is a table and not a
 * formula because ggml's kernels make some sizes dear and others cheap: repacked Q4_0 on 2 threads takes 15, 28, 25,
 * 49, 70 and 141 ms for 1, 2, 4, 8, 16 and 32 rows.
 */
export class StepCosts {
  readonly #calibrated: ReadonlyMap<number, Cost>;
  readonly #seen = new Map<number, SeenCost>();
  /** The calibrated and the seen sizes together; null after a step until they are needed. */
  #points: ReadonlyMap<number, Cost> | null = null;
  #steps = 0;
  /** The latest ratio of step times to their calibration. */
  #drift = 1;
  #overheadMs = 0;

  readonly #rowBlock: number;

  /** `times`: the workers' calibration, or null. `rowBlock`: rows that their kernels compute at once. */
  constructor(times: PipelineTimes | null = null, rowBlock = 1) {
    this.#calibrated = times === null ? new Map() : calibrated(times);
    this.#rowBlock = rowBlock;
  }

  /** Time of a step outside the stages: hops, and the coordinator itself. */
  get overheadMs(): number {
    return this.#overheadMs;
  }

  /** Whether any size was calibrated or seen. */
  get known(): boolean {
    return this.#calibrated.size + this.#seen.size > 0;
  }

  /** A step of `rows` rows has run. */
  observe(rows: number, { stageMs, overheadMs }: StepTimes): void {
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

  /** Milliseconds that the slowest stage takes for `rows` rows; 0 while no size is known. */
  slowest(rows: number): number {
    return this.#cost(rows).slowest;
  }

  /** Milliseconds that all stages together take for `rows` rows; 0 while no size is known. */
  total(rows: number): number {
    return this.#cost(rows).total;
  }

  /**
   * Milliseconds of a cycle, in which each of `sequences` gets one token, in `groups` micro-batches of nearly equal
   * size: the time that all of them take in the slowest stage, but at least the way of the largest one through all
   * stages and hops, on which each group has `onTheWay` micro-batches at a time.
   */
  cycle(sequences: number, groups: number, onTheWay = 1): number {
    const sizes = groupSizes(sequences, groups);
    const queued = sizes.reduce((ms, { rows, count }) => ms + count * this.slowest(rows), 0);
    return Math.max(queued, (this.total(sizes[0].rows) + this.#overheadMs) / onTheWay);
  }

  /** The cycle of as many groups as make it shortest, of those that `stages` stages can have. */
  shortestCycle(sequences: number, stages: number): number {
    let shortest = Number.POSITIVE_INFINITY;
    for (let groups = 1; groups <= Math.min(sequences, stages + 1); groups++)
      shortest = Math.min(shortest, this.cycle(sequences, groups));
    return shortest;
  }

  /**
   * The most rows, up to `most`, for which the slowest stage takes no longer than `limitMs`; 0 when one row takes
   * longer. Above one block of rows the answer is a number of whole blocks, because a block that is begun costs as much
   * as a full one: 64 rows took 385 ms, 102 took 818 and 127 took 891 (AMX, blocks of 32).
   */
  rowsWithin(limitMs: number, most: number): number {
    const block = this.#rowBlock;
    let rows = most;
    while (rows > 0 && this.slowest(rows) > limitMs)
      rows = rows > block ? block * (Math.ceil(rows / block) - 1) : rows - 1;
    return rows;
  }

  #cost(rows: number): Cost {
    this.#points ??= this.#allPoints();
    return estimate(this.#points, rows) ?? { slowest: 0, total: 0 };
  }

  #allPoints(): ReadonlyMap<number, Cost> {
    const points = new Map<number, Cost>();
    for (const [size, cost] of this.#calibrated) points.set(size, times(cost, this.#drift * TUNING.curiosity));
    for (const [size, cost] of this.#seen) {
      const recent = this.#steps - cost.at < TUNING.curiousAfter;
      points.set(size, recent ? cost : times(cost, TUNING.curiosity));
    }
    return plausible(points);
  }
}

function blend(old: number, now: number): number {
  if (now < old) return old + TUNING.weightFaster * (now - old);
  return old === 0 ? now : old + TUNING.weightSlower * (Math.min(now, TUNING.mostSlower * old) - old);
}

function calibrated(stages: PipelineTimes): ReadonlyMap<number, Cost> {
  const cost = (rows: number): Cost => ({ slowest: slowestStageMs(stages, rows), total: sumOfStagesMs(stages, rows) });
  return plausible(new Map(CALIBRATED_ROWS.map((rows) => [rows, cost(rows)])));
}

/**
 * The costs bounded by each other, since another process may have disturbed some measurements: n rows never cost more
 * than ceil(n / m) times m rows, and fewer rows at most TUNING.fewerRowsCost times as much as more rows.
 */
function plausible(points: ReadonlyMap<number, Cost>): ReadonlyMap<number, Cost> {
  const bounded = new Map<number, Cost>();
  for (const rows of points.keys()) {
    let [slowest, total] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const [other, cost] of points) {
      const factor = other === rows ? 1 : other < rows ? Math.ceil(rows / other) : TUNING.fewerRowsCost;
      slowest = Math.min(slowest, factor * cost.slowest);
      total = Math.min(total, factor * cost.total);
    }
    bounded.set(rows, { slowest, total });
  }
  return bounded;
}

/** Linear between known sizes; the least size's cost below it, in proportion to the rows above the largest. */
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

/** Sizes up to 16 are kept apart, larger ones are rounded to eighths of a power of two: 17 counts as 18, 100 as 104. */
function bucketOf(rows: number): number {
  if (rows <= 16) return rows;
  const eighth = 2 ** (Math.floor(Math.log2(rows)) - 3);
  return Math.round(rows / eighth) * eighth;
}
