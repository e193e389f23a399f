import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@rhone/common";
import type { FastifyInstance } from "fastify";

const LOOK_MS = 5;
/** How often connections are closed whose requests are answered: their clients would keep them. */
const CLOSE_IDLE_MS = 250;

export interface DrainOptions {
  readonly timeoutMs: number;
  /** Ends the drain when it aborts. */
  readonly hurry: AbortSignal;
  /** Called once, when nothing listens any more: another gateway may have the port. */
  readonly onDeaf: () => void;
  readonly logger: Logger;
}

/**
 * Takes no more connections and lets the running requests finish, and those that come on open connections; resolves
 * when all have. After `timeoutMs`, or when `hurry` aborts, their connections are closed. Generations of resumable
 * streams go on.
 */
export async function drain(app: FastifyInstance, { timeoutMs, hurry, onDeaf, logger }: DrainOptions): Promise<void> {
  const { server } = app;
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  const closed = app.close();
  closed.then(over, over);
  while (server.listening && !isOver) await sleep(LOOK_MS);
  onDeaf();
  const end = (): void => {
    logger.info("closing the connections of requests that still run");
    server.closeAllConnections();
  };
  if (hurry.aborted && !isOver) end();
  hurry.addEventListener("abort", end, { once: true });
  const timer = setTimeout(end, timeoutMs);
  const closing = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_MS);
  await closed.finally(() => {
    clearTimeout(timer);
    clearInterval(closing);
    hurry.removeEventListener("abort", end);
  });
}
