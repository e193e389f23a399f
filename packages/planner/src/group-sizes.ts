export interface GroupSize {
  readonly rows: number;
  /** How many groups have so many rows. */
  readonly count: number;
}

/** `sequences`, at least one, divided among up to `groups` groups as equally as can be, the greatest first: 16 among 3 are 6, 5 and 5. */
export function groupSizes(sequences: number, groups: number): readonly [GroupSize, ...GroupSize[]] {
  const least = Math.floor(sequences / groups);
  const greater = sequences % groups;
  if (greater === 0) return [{ rows: least, count: groups }];
  const first = { rows: least + 1, count: greater };
  return least === 0 ? [first] : [first, { rows: least, count: groups - greater }];
}
