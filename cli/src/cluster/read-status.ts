import type { ClusterStatus } from "@rhone/common";

/** What the coordinator at `operations` (host:port) says of itself. Null while it does not answer; it may be about to be started again. */
export async function readStatus(operations: string, signal: AbortSignal): Promise<ClusterStatus | null> {
  try {
    const response = await fetch(`http://${operations}/status`, { signal });
    return (await response.json()) as ClusterStatus;
  } catch {
    return null;
  }
}
