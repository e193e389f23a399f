/** Measured times of a step of `rows` decode rows. */
export interface CurvePoint {
  readonly rows: number;
  /** Milliseconds per layer, including its share of the step's fixed costs. */
  readonly layerMs: number;
  /** Milliseconds that the head and the sampling add on the last stage. */
  readonly headMs: number;
}

/** At least one point, by rising rows. The times need not rise with the rows: kernels compute blocks of rows. */
export type StepCurve = readonly CurvePoint[];

/** The numbers of decode rows per step that workers time. */
export const CALIBRATED_ROWS: readonly number[] = [1, 2, 4, 8, 16, 32];

export interface StageWork {
  readonly layers: number;
  readonly heads: boolean;
}

/**
 * Milliseconds of one step of `rows` decode rows, interpolated linearly between the measured points. Fewer rows than
 * the first point take as long as it does (one row reads all weights); beyond the last point its cost per row
 * continues.
 */
export function stageMs(curve: StepCurve, { layers, heads }: StageWork, rows: number): number {
  const workMs = ({ layerMs, headMs }: CurvePoint): number => layers * layerMs + (heads ? headMs : 0);
  if (rows <= 0) return 0;
  const above = curve.findIndex((point) => point.rows >= rows);
  if (above === -1) return beyond(curve, workMs, rows);
  const [high, low] = [curve[above], curve[above - 1]];
  if (high === undefined) return 0;
  if (low === undefined) return workMs(high);
  const share = (rows - low.rows) / (high.rows - low.rows);
  return workMs(low) + share * (workMs(high) - workMs(low));
}

function beyond(curve: StepCurve, workMs: (point: CurvePoint) => number, rows: number): number {
  const last = curve.at(-1);
  return last === undefined ? 0 : (workMs(last) * rows) / last.rows;
}
