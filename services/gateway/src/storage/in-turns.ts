/** Records that are read at a time for a list, so that a long list does not fill the event loop with its answers. */
const AT_ONCE = 8;

/** `use` of every item, in their order, a few at a time. */
export async function inTurns<T, R>(items: readonly T[], use: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE)
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(use))));
  return results;
}
