/** Unicode scalar values as sorted, disjoint ranges, both ends included. Surrogates belong to no set. */
export type CodePoints = readonly (readonly [first: number, last: number])[];

export const ALL_CODE_POINTS: CodePoints = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

const NONE = [0, -1] as const;

export const single = (value: number): CodePoints => [[value, value]];

/** Sorted and joined, without surrogates. */
export function union(...sets: readonly CodePoints[]): CodePoints {
  const sorted = sets.flat().toSorted(([a], [b]) => a - b);
  const joined: [number, number][] = [];
  for (const [first, last] of sorted) {
    const previous = joined.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else joined.push([first, last]);
  }
  return intersection(joined, ALL_CODE_POINTS);
}

export function intersection(a: CodePoints, b: CodePoints): CodePoints {
  const both: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [[first, last], [from, to]] = [a[i] ?? NONE, b[j] ?? NONE];
    const [low, high] = [Math.max(first, from), Math.min(last, to)];
    if (low <= high) both.push([low, high]);
    if (last < to) i++;
    else j++;
  }
  return both;
}

export function complement(set: CodePoints): CodePoints {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [first, last] of union(set)) {
    if (first > next) gaps.push([next, first - 1]);
    next = last + 1;
  }
  gaps.push([next, 0x10ffff]);
  return intersection(
    gaps.filter(([first, last]) => first <= last),
    ALL_CODE_POINTS,
  );
}

export const difference = (a: CodePoints, b: CodePoints): CodePoints => intersection(a, complement(b));

export const contains = (set: CodePoints, value: number): boolean =>
  set.some(([first, last]) => value >= first && value <= last);
