import {
  type ClusterStatus,
  COORDINATORS_KEY,
  parseClusterStatus,
  redisUnavailable,
  statusKey,
  withinLook,
} from "@rhone/common";
import type { Redis } from "ioredis";

/** The state of the coordinators. */
export interface ClusterState {
  /**
   * The status of every living coordinator. Throws REDIS_UNAVAILABLE, also when Redis has not answered for 5 s; for
   * those who are patient, as requests that are to be computed, when a command fails.
   */
  coordinators(options?: { readonly patient?: boolean }): Promise<readonly ClusterStatus[]>;
}

const FRESH_MS = 250;

type StatusStore = Pick<Redis, "smembers" | "mget" | "srem">;

/**
 * Reads the statuses that coordinators publish each second, at most once per 250 ms, and not again before Redis has
 * answered. `redis` is borrowed.
 */
export function redisClusterState(redis: StatusStore, now: () => number = Date.now): ClusterState {
  let reading: Promise<readonly ClusterStatus[]> | undefined;
  let isUnanswered = false;
  let readAtMs = 0;
  const read = (): Promise<readonly ClusterStatus[]> => {
    if (reading !== undefined && (isUnanswered || now() - readAtMs < FRESH_MS)) return reading;
    readAtMs = now();
    isUnanswered = true;
    reading = readStatuses(redis).finally(() => {
      isUnanswered = false;
    });
    return reading;
  };
  return { coordinators: ({ patient = false } = {}) => (patient ? read() : withinLook(read())) };
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
