import type { Sequence } from "./sequence.js";

/** What a waiting sequence needs, in places or in pages, those included that the prefix cache has for it. */
export interface Claim {
  readonly head: Sequence;
  readonly needed: number;
  /** What a running sequence holds of the same. */
  readonly held: (sequence: Sequence) => number;
}

/**
 * The sequence that should give way to a waiting one: the newest of the API key that holds most, if that key keeps at
 * least as much without it as the waiting one's key would have. So keys end up with equal shares, and none takes back
 * what it gave. Null: everybody has a fair share.
 */
export function overShare(running: Iterable<Sequence>, { head, needed, held }: Claim): Sequence | null {
  const shares = new Map<string, { total: number; newest: Sequence }>();
  for (const sequence of running) {
    const share = shares.get(sequence.job.keyId);
    const isNewest = share === undefined || sequence.rank > share.newest.rank;
    const total = (share?.total ?? 0) + held(sequence);
    shares.set(sequence.job.keyId, { total, newest: isNewest ? sequence : share.newest });
  }
  const own = (shares.get(head.job.keyId)?.total ?? 0) + needed;
  let largest: { total: number; newest: Sequence } | null = null;
  for (const share of shares.values()) if (largest === null || share.total > largest.total) largest = share;
  if (largest === null || largest.newest.job.keyId === head.job.keyId) return null;
  return largest.total - held(largest.newest) >= own ? largest.newest : null;
}
