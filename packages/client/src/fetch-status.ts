import { type ClusterStatus, checkClusterStatus } from "@rhone/common";
import { z } from "zod";
import { askGateway, gatewayFailure } from "./ask-gateway.js";

export interface GatewayStatus {
  readonly coordinators: readonly ClusterStatus[];
}

const answerSchema = z.looseObject({ coordinators: z.array(z.unknown()) });

/**
 * GET /status of a gateway at http://host:port. Throws NOT_RUNNING when no gateway answers, and RECORD_UNREADABLE when
 * it is of another version.
 */
export async function fetchStatus(url: string, signal: AbortSignal): Promise<GatewayStatus> {
  const response = await askGateway(`${url}/status`, { signal });
  if (!response.ok) throw gatewayFailure(await response.text(), response.status);
  const answer = answerSchema.parse(await response.json());
  const coordinators = answer.coordinators.map((status) => checkClusterStatus(status, `The gateway at ${url}`));
  return { ...answer, coordinators };
}
