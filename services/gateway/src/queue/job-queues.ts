import {
  type GenerationJob,
  type JobQueue,
  type Logger,
  queueName,
  REDIS_PREFIX,
  redisUnavailable,
} from "@rhone/common";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";

/** BullMQ's queues, one per model and lane. Each is opened when its first job comes. */
export class JobQueues {
  readonly #redis: Redis;
  readonly #logger: Logger;
  readonly #open = new Map<string, Promise<Queue<GenerationJob>>>();

  /** `redis` is borrowed. */
  constructor(redis: Redis, logger: Logger) {
    this.#redis = redis;
    this.#logger = logger;
  }

  /** Throws REDIS_UNAVAILABLE. */
  of(queue: JobQueue): Promise<Queue<GenerationJob>> {
    const name = queueName(queue);
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const opening = this.#openReady(name);
    this.#open.set(name, opening);
    // A queue whose first look at Redis fails never works: a gateway that began beside a frozen Redis answered 503.
    opening.catch(() => this.#open.delete(name));
    return opening;
  }

  async close(): Promise<void> {
    const queues = await Promise.allSettled(this.#open.values());
    await Promise.all(queues.map((opened) => (opened.status === "fulfilled" ? opened.value.close() : undefined)));
  }

  async #openReady(name: string): Promise<Queue<GenerationJob>> {
    const queue = new Queue<GenerationJob>(name, { connection: this.#redis, prefix: REDIS_PREFIX });
    queue.on("error", (error) => this.#logger.warn({ err: error, queue: name }, "queue error"));
    try {
      await queue.waitUntilReady();
      return queue;
    } catch (cause) {
      queue.close().catch(() => {});
      return redisUnavailable(cause);
    }
  }
}
