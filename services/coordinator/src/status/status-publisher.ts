import { type ClusterStatus, COORDINATORS_KEY, type Logger, statusKey } from "@rhone/common";
import type { Redis } from "ioredis";

const EVERY_MS = 1000;
/** A status that is not renewed for this long expires: its coordinator is dead. */
const EXPIRES_MS = 5000;

/** Publishes this coordinator's status in Redis each second, and soon after a change. */
export class StatusPublisher {
  readonly #options: { readonly redis: Redis; readonly status: () => ClusterStatus; readonly logger: Logger };
  readonly #timer: NodeJS.Timeout;
  #due = false;
  #sending = false;
  #closed = false;

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

  /** Takes this coordinator out of the set of coordinators. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closed = true;
    const { redis, status } = this.#options;
    if (redis.status !== "ready") return;
    const { coordinator } = status();
    await redis.pipeline().del(statusKey(coordinator)).srem(COORDINATORS_KEY, coordinator).exec();
  }

  /** Skipped while the last one is under way: while Redis is away, stale ones would pile up. */
  async #publish(): Promise<void> {
    const { redis, status, logger } = this.#options;
    if (this.#sending || this.#closed || redis.status !== "ready") return;
    this.#sending = true;
    try {
      const now = status();
      const pipeline = redis.pipeline().set(statusKey(now.coordinator), JSON.stringify(now), "PX", EXPIRES_MS);
      await pipeline.sadd(COORDINATORS_KEY, now.coordinator).exec();
    } catch (err) {
      logger.warn({ err }, "status not published");
    } finally {
      this.#sending = false;
    }
  }
}
