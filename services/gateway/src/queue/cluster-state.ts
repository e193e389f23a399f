import { type ClusterStatus, COORDINATORS_KEY, parseClusterStatus, RhoneError, statusKey } from "@rhone/common";
import type { Redis } from "ioredis";

/** What is known of the coordinators. */
export interface ClusterState {
  /** Every coordinator that lives. Throws REDIS_UNAVAILABLE. */
  coordinators(): Promise<readonly ClusterStatus[]>;
}

const FRESH_MS = 250;

/** Reads the statuses that coordinators publish each second; answers within FRESH_MS of each other share one reading. */
export function redisClusterState(redis: Redis, now: () => number = Date.now): ClusterState {
  let reading: Promise<readonly ClusterStatus[]> | undefined;
  let readAtMs = 0;
  return {
    coordinators() {
      if (reading !== undefined && now() - readAtMs < FRESH_MS) return reading;
      readAtMs = now();
      reading = readStatuses(redis);
      return reading;
    },
  };
}

/** A coordinator that can take jobs. Throws NO_PIPELINE with the reasons of those that can't. */
export function readyCoordinator(coordinators: readonly ClusterStatus[]): ClusterStatus {
  const ready = coordinators.find(({ state }) => state === "ready");
  if (ready !== undefined) return ready;
  const reasons = coordinators.map(({ coordinator, state, reason }) => `${coordinator} is ${reason ?? state}`);
  const why = reasons.length === 0 ? "no coordinator is running" : reasons.join("; ");
  throw new RhoneError("NO_PIPELINE", `The model is not ready: ${why}. Try again shortly.`);
}

async function readStatuses(redis: Redis): Promise<readonly ClusterStatus[]> {
  try {
    const ids = await redis.smembers(COORDINATORS_KEY);
    if (ids.length === 0) return [];
    const statuses = await redis.mget(ids.sort().map(statusKey));
    return statuses.flatMap((status) => (status === null ? [] : (parseClusterStatus(status) ?? [])));
  } catch (error) {
    throw new RhoneError("REDIS_UNAVAILABLE", "Redis can't be reached; try again shortly.", { cause: error });
  }
}
