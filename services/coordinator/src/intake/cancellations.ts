import { CANCEL_CHANNEL, cancelledKey } from "@rhone/common";
import type { Redis } from "ioredis";

/** How many cancelled ids are kept: enough for the jobs that are being taken from the queue at this moment. */
const REMEMBERED = 4096;

/** The requests that clients cancelled, as announced on one Redis connection. */
export class Cancellations {
  readonly #recent = new Set<string>();

  private constructor() {}

  /**
   * Subscribes on `subscriber`, which is borrowed and can do nothing but that from then on. Calls `onCancel` for each
   * request.
   */
  static async open(subscriber: Redis, onCancel: (requestId: string) => void): Promise<Cancellations> {
    const cancellations = new Cancellations();
    subscriber.on("message", (channel: string, requestId: string) => {
      if (channel !== CANCEL_CHANNEL) return;
      cancellations.#remember(requestId);
      onCancel(requestId);
    });
    await subscriber.subscribe(CANCEL_CHANNEL);
    return cancellations;
  }

  /** Whether a request is cancelled: by its flag in Redis, or by an announcement that came while the flag was read. */
  async has(redis: Redis, requestId: string): Promise<boolean> {
    const flagged = await redis.exists(cancelledKey(requestId));
    return flagged > 0 || this.#recent.has(requestId);
  }

  #remember(requestId: string): void {
    this.#recent.add(requestId);
    const [oldest] = this.#recent;
    if (this.#recent.size > REMEMBERED && oldest !== undefined) this.#recent.delete(oldest);
  }
}
