import { type ClusterStatus, COORDINATORS_KEY, parseClusterStatus, redisUnavailable, statusKey } from "@rhone/common";
import type { Redis } from "ioredis";

/** The state of the coordinators. */
export interface ClusterState {
  /** The status of every living coordinator. Throws REDIS_UNAVAILABLE. */
  coordinators(): Promise<readonly ClusterStatus[]>;
}

const FRESH_MS = 250;

type StatusStore = Pick<Redis, "smembers" | "mget" | "srem">;

/** Reads the statuses that coordinators publish each second, at most once per 250 ms. `redis` is borrowed. */
export function redisClusterState(redis: StatusStore, now: () => number = Date.now): ClusterState {
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

async function readStatuses(redis: StatusStore): Promise<readonly ClusterStatus[]> {
  const ids = (await redis.smembers(COORDINATORS_KEY).catch(redisUnavailable)).sort();
  if (ids.length === 0) return [];
  const statuses = await redis.mget(ids.map(statusKey)).catch(redisUnavailable);
  forget(
    redis,
    ids.filter((_, index) => statuses[index] === null),
  );
  return statuses.flatMap((status) => (status === null ? [] : (parseClusterStatus(status) ?? [])));
}

/** A coordinator whose status expired is dead; one that was only slow adds itself again with its next status. */
function forget(redis: StatusStore, dead: readonly string[]): void {
  if (dead.length > 0) redis.srem(COORDINATORS_KEY, ...dead).catch(() => {});
}
