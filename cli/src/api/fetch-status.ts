import { type ClusterStatus, RhoneError } from "@rhone/common";

export interface GatewayStatus {
  readonly coordinators: readonly ClusterStatus[];
}

/** GET /status of a gateway. Throws NOT_RUNNING when nobody answers. */
export async function fetchStatus(url: string, signal: AbortSignal): Promise<GatewayStatus> {
  const response = await fetch(`${url}/status`, { signal }).catch((cause: unknown) => {
    throw new RhoneError("NOT_RUNNING", `Nobody answers at ${url}; it may still be starting.`, { cause });
  });
  if (response.ok) return (await response.json()) as GatewayStatus;
  throw new RhoneError("INTERNAL", `${url}/status answered ${response.status}: ${await response.text()}`);
}
