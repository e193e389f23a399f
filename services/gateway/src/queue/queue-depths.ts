import { placesKey, type QueueDepth, redisUnavailable } from "@rhone/common";
import type { Redis } from "ioredis";

const LANES = ["interactive", "batch"] as const;

/**
 * How many choices wait in each lane of these models, in their order. `redis` is borrowed. Throws REDIS_UNAVAILABLE.
 */
export async function readQueueDepths(
  redis: Pick<Redis, "pipeline">,
  models: readonly string[],
): Promise<readonly QueueDepth[]> {
  const queues = models.flatMap((model) => LANES.map((lane) => ({ model, lane })));
  if (queues.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const queue of queues) pipeline.zcard(placesKey(queue)).zrange(placesKey(queue), "0", "0", "WITHSCORES");
  const answers = (await pipeline.exec().catch(redisUnavailable)) ?? [];
  return queues.map((queue, index) => {
    const [[failed, waiting] = [], [, first] = []] = [answers[2 * index], answers[2 * index + 1]];
    if (failed != null) redisUnavailable(failed);
    const oldest = (first as string[] | undefined)?.[1];
    return { ...queue, waiting: Number(waiting ?? 0), oldestAtMs: oldest === undefined ? null : Number(oldest) };
  });
}
