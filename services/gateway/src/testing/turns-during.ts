/** Runs `work`, and counts how often something else could run meanwhile. */
export async function turnsDuring<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly turns: number }> {
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  const result = await work();
  clearInterval(ticking);
  return { result, turns };
}
