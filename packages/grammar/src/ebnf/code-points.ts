/** Unicode scalar values as sorted, disjoint ranges, both ends included. Surrogates belong to no set. */
export type CodePoints = readonly (readonly [first: number, last: number])[];

export const ALL_CODE_POINTS: CodePoints = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

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
  return a.flatMap(([first, last]) =>
    b.flatMap(([from, to]): [number, number][] => {
      const [low, high] = [Math.max(first, from), Math.min(last, to)];
      return low <= high ? [[low, high]] : [];
    }),
  );
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
