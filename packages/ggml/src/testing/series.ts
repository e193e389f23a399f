/** A repeatable series in [-1, 1). */
export function series(n: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** The greatest difference between two series of one length; NaN when either holds one. */
export function worstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return Array.from(actual).reduce((worst, value, i) => {
    const difference = value === expected[i] ? 0 : Math.abs(value - (expected[i] ?? Number.NaN));
    return Math.max(worst, difference);
  }, 0);
}
