import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@rhone/common";
import { ReplyError } from "ioredis";

const RETRY_MS = 500;

export interface InsistOptions {
  /** Whether nobody waits for the answer any more. */
  readonly isOver: () => boolean;
  readonly logger: Logger;
}

/** Whether Redis has answered that it does not do what it was asked for. */
export const isRefused = (error: unknown): boolean => error instanceof ReplyError;

/**
 * Asks Redis until it does not refuse, as it does without memory or without a disk for writes, and while it is a
 * replica; `ask` must do no harm when it is called again. Rejects with another error, and with the refusal when it is
 * over.
 */
export async function insist<T>(ask: () => Promise<T>, { isOver, logger }: InsistOptions): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (err) {
      if (!isRefused(err) || isOver()) throw err;
      logger.warn({ err }, "redis refuses, asking again");
    }
    await sleep(RETRY_MS);
  }
}
