/** Takes the event loop for `ms` milliseconds. */
export function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Objects that take 0.05 ms each to be written as JSON. */
export const costly = (count: number) =>
  Array.from({ length: count }, (_, token) => ({
    get token() {
      spin(0.05);
      return token;
    },
  }));
