/** What a worker measured for steps of so many decode rows. */
export interface StepTime {
  readonly rows: number;
  /** Milliseconds of one layer, its share of the step's fixed costs included. */
  readonly layerMs: number;
  /** Milliseconds that the head, with the drawing of tokens, adds on the last stage. */
  readonly headMs: number;
}

/** Rising in rows, at least one point. The times need not rise: kernels work on blocks of rows. */
export type StepCurve = readonly StepTime[];

export interface StageWork {
  readonly layers: number;
  readonly heads: boolean;
}

/**
 * Milliseconds of one step of `rows` decode rows: a straight line between the measured points on both sides. Below the first
 * point it is that point (one row reads all weights), above the last the mean cost per row of the last point goes on.
 */
export function stageMs(curve: StepCurve, { layers, heads }: StageWork, rows: number): number {
  const workMs = ({ layerMs, headMs }: StepTime): number => layers * layerMs + (heads ? headMs : 0);
  if (rows <= 0) return 0;
  const above = curve.findIndex((point) => point.rows >= rows);
  if (above === -1) return beyond(curve, workMs, rows);
  const [high, low] = [curve[above], curve[above - 1]];
  if (high === undefined) return 0;
  if (low === undefined) return workMs(high);
  const share = (rows - low.rows) / (high.rows - low.rows);
  return workMs(low) + share * (workMs(high) - workMs(low));
}

function beyond(curve: StepCurve, workMs: (point: StepTime) => number, rows: number): number {
  const last = curve.at(-1);
  return last === undefined ? 0 : (workMs(last) * rows) / last.rows;
}
