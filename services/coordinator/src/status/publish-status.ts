import { type ClusterStatus, COORDINATORS_KEY, type Logger, statusKey } from "@rhone/common";
import type { Redis } from "ioredis";

const EVERY_MS = 1000;
/** A coordinator that says nothing for so long is gone. */
const LIVES_MS = 5000;

/** Publishes the status each second, and soon after a change. */
export class StatusPublisher {
  readonly #options: { readonly redis: Redis; readonly status: () => ClusterStatus; readonly logger: Logger };
  readonly #timer: NodeJS.Timeout;
  #due = false;
  #sending = false;

  /** `redis` is borrowed. */
  constructor(options: { readonly redis: Redis; readonly status: () => ClusterStatus; readonly logger: Logger }) {
    this.#options = options;
    this.#timer = setInterval(() => this.changed(), EVERY_MS);
    this.changed();
  }

  /** Publishes soon; changes in one turn of the event loop go out together. */
  changed(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      void this.#publish();
    });
  }

  /** The coordinator is no longer there to be asked. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const { redis, status } = this.#options;
    if (redis.status === "ready") await redis.del(statusKey(status().coordinator));
  }

  /** Skipped while the last one is on its way: a Redis that is away would gather stale ones. */
  async #publish(): Promise<void> {
    const { redis, status, logger } = this.#options;
    if (this.#sending || redis.status !== "ready") return;
    this.#sending = true;
    try {
      const now = status();
      const pipeline = redis.pipeline().set(statusKey(now.coordinator), JSON.stringify(now), "PX", LIVES_MS);
      await pipeline.sadd(COORDINATORS_KEY, now.coordinator).exec();
    } catch (err) {
      logger.warn({ err }, "status not published");
    } finally {
      this.#sending = false;
    }
  }
}
