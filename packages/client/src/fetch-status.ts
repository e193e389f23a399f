import type { ClusterStatus } from "@rhone/common";
import { askGateway, gatewayFailure } from "./ask-gateway.js";

export interface GatewayStatus {
  readonly coordinators: readonly ClusterStatus[];
}

/** GET /status of a gateway at http://host:port. Throws NOT_RUNNING when no gateway answers. */
export async function fetchStatus(url: string, signal: AbortSignal): Promise<GatewayStatus> {
  const response = await askGateway(`${url}/status`, { signal });
  if (response.ok) return (await response.json()) as GatewayStatus;
  throw gatewayFailure(await response.text(), response.status);
}
