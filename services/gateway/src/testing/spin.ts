/** Takes the event loop for `ms` milliseconds, by a clock that no test stops. */
export function spin(ms: number): void {
  const until = process.hrtime.bigint() + BigInt(Math.round(1e6 * ms));
  while (process.hrtime.bigint() < until);
}

/** Objects that take 0.05 ms each to be written as JSON. */
export const costly = (count: number) =>
  Array.from({ length: count }, (_, token) => ({
    get token() {
      spin(0.05);
      return token;
    },
  }));
