const STEPS_PER_UNIT = 64;
/** Beyond this, exp is 0 to any sum that holds a 1. */
const LEAST = -40;
const TABLE = Float64Array.from({ length: -LEAST * STEPS_PER_UNIT + 1 }, (_, i) => Math.exp(-i / STEPS_PER_UNIT));

/**
 * exp(x) for x <= 0 within a relative 3e-9, and 0 under -40: several times quicker than Math.exp, which would be most of what a draw
 * from 32,000 tokens costs.
 */
export function expOfNegative(x: number): number {
  if (!(x > LEAST)) return 0;
  const step = (-x * STEPS_PER_UNIT) | 0;
  const rest = x + step / STEPS_PER_UNIT;
  // rest is in (-1/64, 0]: four terms of the series leave rest⁴ / 24.
  return (TABLE[step] as number) * (1 + rest * (1 + rest * (0.5 + rest / 6)));
}
