/** A quantity over time. */
export interface Series {
  readonly name: string;
  readonly unit: "bytes" | "count" | "keys";
  /** In the order of their times. */
  readonly points: readonly { readonly minutes: number; readonly value: number }[];
  /** Minutes before it can be expected to be flat: its records live so long. Infinity: it is shown only. */
  readonly settlesAfter: number;
  /** The same as it would be at an even rate of requests: what grows only as more is asked is flat. */
  readonly evened?: Series["points"];
}

export interface Growth extends Pick<Series, "name" | "unit" | "points"> {
  /** From then on it is judged; null where fewer than three points are left. */
  readonly fromMinutes: number | null;
  /** By least squares. */
  readonly perHour: number;
  /** From `fromMinutes` to the end, by the same line; of its value there. */
  readonly share: number;
  readonly amount: number;
  /** null: it is not judged, because its records are kept for longer than was watched. */
  readonly isFlat: boolean | null;
}

/** Growth of less than this share, or of less than this amount, is flat. */
const FLAT_SHARE = 0.05;
const FLAT_AMOUNT = { bytes: 10e6, count: 10, keys: 100 } as const;
const LEAST_POINTS = 3;

export function growthOf({ name, unit, points, settlesAfter, evened }: Series, warmUpMinutes: number): Growth {
  const from = Math.max(warmUpMinutes, settlesAfter);
  const judged = points.filter(({ minutes }) => minutes >= from);
  const [first, last] = [judged[0], judged.at(-1)];
  if (judged.length < LEAST_POINTS || first === undefined || last === undefined)
    return {
      name,
      unit,
      points,
      fromMinutes: null,
      perHour: lineOf(points).slope * 60,
      share: 0,
      amount: 0,
      isFlat: null,
    };
  const { slope, share, amount } = riseOf(judged);
  const flat = (rise: Pick<Growth, "share" | "amount">): boolean =>
    rise.share < FLAT_SHARE || rise.amount < FLAT_AMOUNT[unit];
  const atEvenRate = evened === undefined ? null : riseOf(evened.filter(({ minutes }) => minutes >= from));
  const isFlat = flat({ share, amount }) || (atEvenRate !== null && flat(atEvenRate));
  return { name, unit, points, fromMinutes: first.minutes, perHour: slope * 60, share, amount, isFlat };
}

function riseOf(points: Series["points"]) {
  const { slope, at } = lineOf(points);
  const [from, to] = [points[0]?.minutes ?? 0, points.at(-1)?.minutes ?? 0];
  const amount = slope * (to - from);
  return { slope, amount, share: amount / Math.max(1, at(from)) };
}

/** The line through the points by least squares. Minutes. */
export function lineOf(points: Series["points"]) {
  const mean = (of: (point: Series["points"][number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / Math.max(1, points.length);
  const [middle, level] = [mean(({ minutes }) => minutes), mean(({ value }) => value)];
  const spread = mean(({ minutes }) => (minutes - middle) ** 2);
  const slope = spread === 0 ? 0 : mean(({ minutes, value }) => (minutes - middle) * (value - level)) / spread;
  return { slope, at: (minutes: number): number => level + slope * (minutes - middle) };
}
