import { CANCEL_CHANNEL, cancelledKey } from "@rhone/common";
import type { Redis } from "ioredis";

/** How many cancelled ids are remembered: enough for those whose job is being taken from the queue right now. */
const REMEMBERED = 4096;

/** Hears which requests are cancelled, on a connection of its own. */
export class Cancellations {
  readonly #subscriber: Redis;
  readonly #recent = new Set<string>();

  private constructor(subscriber: Redis) {
    this.#subscriber = subscriber;
  }

  /** `subscriber` becomes the property of the result. */
  static async open(subscriber: Redis, onCancel: (requestId: string) => void): Promise<Cancellations> {
    const cancellations = new Cancellations(subscriber);
    subscriber.on("message", (_channel: string, requestId: string) => {
      cancellations.#remember(requestId);
      onCancel(requestId);
    });
    await subscriber.subscribe(CANCEL_CHANNEL);
    return cancellations;
  }

  /** Whether a request is cancelled: the flag in Redis, or word that came while that was being read. */
  async has(redis: Redis, requestId: string): Promise<boolean> {
    const flagged = await redis.exists(cancelledKey(requestId));
    return flagged > 0 || this.#recent.has(requestId);
  }

  close(): void {
    this.#subscriber.disconnect();
  }

  #remember(requestId: string): void {
    this.#recent.add(requestId);
    const [oldest] = this.#recent;
    if (this.#recent.size > REMEMBERED && oldest !== undefined) this.#recent.delete(oldest);
  }
}
