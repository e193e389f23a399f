import {
  GATEWAYS_KEY,
  gatewayKey,
  type JobQueue,
  placesKey,
  queueName,
  REDIS_PREFIX,
  redisUnavailable,
  withinLook,
} from "@rhone/common";
import type { Redis } from "ioredis";

/** How full the queue of a model and lane is. */
export interface QueueDepth {
  /** Jobs that no coordinator has taken. */
  readonly waiting: number;
  readonly taken: number;
  /** How long the oldest of those that wait has waited; 0 without one. */
  readonly oldestMs: number;
}

/** A gateway of the cluster. */
export interface GatewayPlace {
  readonly id: string;
  /** host:port of its HTTP server. */
  readonly address: string;
}

/** What Redis knows of the cluster. Both throw REDIS_UNAVAILABLE, also when it has not answered for 5 s. */
export interface ClusterRecords {
  /** In the order of `queues`. */
  depths(queues: readonly JobQueue[]): Promise<readonly QueueDepth[]>;
  gateways(): Promise<readonly GatewayPlace[]>;
}

/** The answers to the commands for one queue: waiting in order, waiting without, taken, the oldest with its time. */
const PER_QUEUE = 4;

/** `redis` is borrowed. */
export const redisClusterRecords = (redis: Redis): ClusterRecords => ({
  async depths(queues) {
    const pipeline = redis.pipeline().time();
    for (const queue of queues) {
      const key = `${REDIS_PREFIX}:${queueName(queue)}`;
      pipeline.zcard(`${key}:prioritized`).llen(`${key}:wait`).llen(`${key}:active`);
      pipeline.zrange(placesKey(queue), "0", "0", "WITHSCORES");
    }
    const answers = (await withinLook(pipeline.exec().catch(redisUnavailable))) ?? [];
    const [time, ...rest] = answers.map(([error, answer]) => (error === null ? answer : null));
    const nowMs = timeIn(time);
    return queues.map((_, at) => depthIn(rest.slice(PER_QUEUE * at, PER_QUEUE * (at + 1)), nowMs));
  },
  gateways: () => withinLook(readGateways(redis)),
});

async function readGateways(redis: Redis): Promise<readonly GatewayPlace[]> {
  const ids = (await redis.smembers(GATEWAYS_KEY).catch(redisUnavailable)).sort();
  if (ids.length === 0) return [];
  const addresses = await redis.mget(ids.map(gatewayKey)).catch(redisUnavailable);
  const gone = ids.filter((_, at) => addresses[at] === null);
  if (gone.length > 0) redis.srem(GATEWAYS_KEY, ...gone).catch(() => {});
  return ids.flatMap((id, at) => {
    const address = addresses[at];
    return address == null ? [] : [{ id, address }];
  });
}

/** Milliseconds of Redis' clock. */
function timeIn(answer: unknown): number {
  const [seconds, micros] = Array.isArray(answer) ? answer : [];
  return 1000 * Number(seconds) + Number(micros) / 1000;
}

function depthIn([ordered, others, taken, oldest]: readonly unknown[], nowMs: number): QueueDepth {
  const waiting = Number(ordered ?? 0) + Number(others ?? 0);
  const since = Array.isArray(oldest) && oldest.length === 2 ? Number(oldest[1]) : nowMs;
  // A place may outlive its job for a minute.
  return { waiting, taken: Number(taken ?? 0), oldestMs: waiting === 0 ? 0 : Math.max(0, nowMs - since) };
}
