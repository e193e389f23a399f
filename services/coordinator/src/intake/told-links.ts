import { linksOf, prefixesKey } from "@rhone/common";
import type { Redis } from "ioredis";
import type { HeldLinks } from "../scheduler/pages/held-links.js";

/** Links that are told at a time; others wait for the next time. */
const TOLD_AT_ONCE = 4096;
/** A coordinator that died is believed to hold texts no longer than its load is fresh; this is for the memory. */
const KEPT_S = 60;

export interface ToldLinksOptions {
  /** Borrowed. */
  readonly redis: Redis;
  /** This coordinator. */
  readonly id: string;
  readonly model: string;
  readonly links: HeldLinks;
}

/** Tells the model's other coordinators which beginnings of texts this one's prefix cache holds. */
export class ToldLinks {
  readonly #options: ToldLinksOptions;
  readonly #key: string;

  constructor(options: ToldLinksOptions) {
    this.#options = options;
    this.#key = prefixesKey(options.model, options.id);
  }

  /** Tells what has changed since, and everything again when Redis has lost it. */
  async tell(): Promise<void> {
    const { redis, links } = this.#options;
    const known = links.size;
    const { held, gone } = links.takeUntold(TOLD_AT_ONCE);
    try {
      // All are sent at once, in the order of what happened, also beside another call.
      const [kept] = await Promise.all([
        redis.expire(this.#key, KEPT_S),
        held.length > 0 && redis.sadd(this.#key, ...held),
        gone.length > 0 && redis.srem(this.#key, ...gone),
        redis.expire(this.#key, KEPT_S),
      ]);
      if (kept === 0 && known > held.length) links.doubt();
    } catch (error) {
      links.doubt();
      throw error;
    }
  }

  /** A job with this route, of whose prompt all has been counted on since it was taken, has ended or goes back. */
  doubt(route: string): void {
    this.#options.links.doubt(linksOf(route));
  }

  /** This coordinator takes no more jobs, and its pages are lost. */
  async forget(): Promise<void> {
    await this.#options.redis.del(this.#key);
  }
}
