/** Mixes a 32-bit number so that each bit depends on every other (the finalizer of MurmurHash3). */
function scramble(bits: number): number {
  let x = bits | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * The number in [0, 1) for (seed, position): the same on every machine and after every restart, since no state is kept
 * between draws. `seed` is any safe integer.
 */
export function uniformAt(seed: number, position: number): number {
  const low = seed >>> 0;
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  const key = scramble(low ^ scramble(high ^ scramble(position + 0x9e3779b9)));
  const coarse = scramble(key ^ 0x243f6a88) >>> 5;
  const fine = scramble(key ^ 0xb7e15162) >>> 6;
  // 27 and 26 bits make the 53 of a double.
  return (coarse * 2 ** 26 + fine) / 2 ** 53;
}
