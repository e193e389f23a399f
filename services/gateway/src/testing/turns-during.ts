interface Watched<T> {
  readonly result: T;
  /** How often something else could run meanwhile. */
  readonly turns: number;
  /** The longest that it had to wait, in milliseconds of the process's time: what others compute does not count. */
  readonly longestMs: number;
}

export async function turnsDuring<T>(work: () => Promise<T>): Promise<Watched<T>> {
  let turns = 0;
  let longestMs = 0;
  let since = process.cpuUsage();
  const look = (): void => {
    const { user, system } = process.cpuUsage(since);
    longestMs = Math.max(longestMs, (user + system) / 1000);
    since = process.cpuUsage();
  };
  const ticking = setInterval(() => {
    turns++;
    look();
  }, 1);
  const result = await work();
  look();
  clearInterval(ticking);
  return { result, turns, longestMs };
}
