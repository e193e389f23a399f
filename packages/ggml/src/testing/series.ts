/** A repeatable series in [-1, 1). */
export function series(n: number, seed = 1): Float32Array {
  const values = new Float32Array(n);
  for (let i = 0, state = seed; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

/** The greatest difference between two series of one length; NaN when either holds one. */
export function worstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== expected[i]) worst = Math.max(worst, Math.abs((actual[i] as number) - (expected[i] as number)));
  }
  return worst;
}
