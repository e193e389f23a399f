import type { Calibration } from "./layer-costs.js";
import type { StepCurve } from "./step-curve.js";

/**
 * What workers of one kind on one machine measured, as one: the least of each time, since what differs between them is what
 * else the machine did at that moment. At least one calibration; all of the same rows.
 */
export function mergeCalibrations(alike: readonly Calibration[]): Calibration {
  return { curve: merge(alike, "curve"), alone: merge(alike, "alone"), head: alike.some(({ head }) => head) };
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
