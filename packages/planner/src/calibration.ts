import type { StepCurve } from "./step-curve.js";

/** A worker's speed measured at its start, before it held any weights. */
export interface RawSpeed {
  /** Billions of floating-point operations per second. */
  readonly gflops: number;
  /** Bytes read from memory per second. */
  readonly bandwidth: number;
}

/** Step times that a worker measured with its shard loaded. */
export interface Calibration {
  readonly curve: StepCurve;
  /** One row while no other worker of the machine computes: a single stream's speed. */
  readonly alone: StepCurve;
  /** Whether the shard has the head, so that the curve's headMs are measured and not 0. */
  readonly head: boolean;
  /** Share of the time of `alone` in which the worker's threads had no core, 0 to 1; absent where it is not known. */
  readonly waited?: number;
}

/** What is known of a worker's speed; a calibration takes precedence over the raw speed. */
export interface WorkerSpeed {
  readonly raw: RawSpeed | null;
  readonly calibration: Calibration | null;
}

/**
 * One calibration out of several by workers of one kind on one machine: the least of each time, since they differ only
 * by what else the machine did meanwhile, and the least wait. Takes at least one calibration, all of the same rows.
 */
export function mergeCalibrations(alike: readonly Calibration[]): Calibration {
  const waits = alike.flatMap(({ waited }) => (waited === undefined ? [] : [waited]));
  return {
    curve: merge(alike, "curve"),
    alone: merge(alike, "alone"),
    head: alike.some(({ head }) => head),
    ...(waits.length > 0 && { waited: Math.min(...waits) }),
  };
}

function merge(alike: readonly Calibration[], key: "curve" | "alone"): StepCurve {
  const heads = alike.filter(({ head }) => head);
  return (alike[0]?.[key] ?? []).map(({ rows }, index) => {
    const least = (of: readonly Calibration[], time: "layerMs" | "headMs"): number =>
      of.length === 0
        ? 0
        : Math.min(...of.map((calibration) => calibration[key][index]?.[time] ?? Number.POSITIVE_INFINITY));
    return { rows, layerMs: least(alike, "layerMs"), headMs: least(heads, "headMs") };
  });
}
