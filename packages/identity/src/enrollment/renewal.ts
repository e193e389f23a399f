import type { Identity } from "../identity-files.js";
import type { Log } from "../log.js";

const LOOK_MS = 600_000;

export interface RenewalOptions {
  /** Null while there is none. */
  readonly read: () => Promise<Pick<Identity, "validFromMs" | "validUntilMs"> | null>;
  readonly renew: () => Promise<unknown>;
  readonly logger: Log;
  readonly now?: () => number;
  readonly lookMs?: number;
}

/** Whether a third of a certificate's life is over. */
export function isDue({ validFromMs, validUntilMs }: Pick<Identity, "validFromMs" | "validUntilMs">, nowMs: number) {
  return nowMs >= validFromMs + (validUntilMs - validFromMs) / 3;
}

/**
 * Renews a certificate when a third of its life is over, and tries again every ten minutes until that succeeds. Close
 * it.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #timer: NodeJS.Timeout;
  #isLooking = false;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.lookMs ?? LOOK_MS).unref();
  }

  /** Looks now, too. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { read, renew, logger, now = Date.now } = this.#options;
    try {
      const identity = await read();
      if (identity === null || !isDue(identity, now())) return;
      await renew();
      logger.info({ until: new Date((await read())?.validUntilMs ?? 0).toISOString() }, "certificate renewed");
    } catch (err) {
      logger.warn({ err }, "the certificate is not renewed; trying again");
    } finally {
      this.#isLooking = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
