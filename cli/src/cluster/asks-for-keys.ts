/** Longer than a gateway takes for an answer from memory. */
const ANSWER_DEADLINE_MS = 5000;

/**
 * Whether a gateway refuses requests without an API key; null when none answers. It is asked as a client would, since
 * its settings decide.
 */
export async function asksForKeys(url: string): Promise<boolean | null> {
  const signal = AbortSignal.timeout(ANSWER_DEADLINE_MS);
  const response = await fetch(`${url}/v1/models`, { signal }).catch(() => null);
  return response === null ? null : response.status === 401;
}
