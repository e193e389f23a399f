import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@rhone/common";
import type { FastifyInstance } from "fastify";
import { giveUp } from "./leaving.js";

const LOOK_MS = 5;
/** How often connections are closed whose requests are answered: their clients would keep them. */
const CLOSE_IDLE_MS = 250;
/**
 * Not before: the next request may be on its way, and its client would get no answer. One that comes meanwhile is
 * answered with `Connection: close`.
 */
const IDLE_FOR_MS = 1000;
/** For errors to reach clients before their connections are closed. */
const TELL_MS = 1000;

export interface DrainOptions {
  readonly timeoutMs: number;
  /** Ends the drain when it aborts. */
  readonly hurry: AbortSignal;
  readonly logger: Logger;
}

/**
 * Takes no more connections and lets the running requests finish, and those that come on open connections; resolves
 * when all have. After `timeoutMs`, or when `hurry` aborts, they get SHUTTING_DOWN, and connections are closed a second
 * later. Answers that can be fetched elsewhere go on, and their connections break: clients come again for the rest.
 */
export async function drain(app: FastifyInstance, { timeoutMs, hurry, logger }: DrainOptions): Promise<void> {
  const { server } = app;
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  // Fastify and Node would close idle connections at once.
  const closeIdle = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => {};
  const startedAt = performance.now();
  const closed = app.close();
  closed.then(over, over);
  while (server.listening && !isOver) await sleep(LOOK_MS);
  let closing: NodeJS.Timeout | undefined;
  const end = (): void => {
    if (closing !== undefined) return;
    logger.info("ending the requests that still run");
    giveUp(server);
    closing = setTimeout(() => server.closeAllConnections(), TELL_MS);
  };
  if (hurry.aborted && !isOver) end();
  hurry.addEventListener("abort", end, { once: true });
  const timer = setTimeout(end, timeoutMs);
  const idle = setInterval(() => {
    if (performance.now() - startedAt >= IDLE_FOR_MS) closeIdle();
  }, CLOSE_IDLE_MS);
  await closed.finally(() => {
    clearTimeout(timer);
    clearTimeout(closing);
    clearInterval(idle);
    hurry.removeEventListener("abort", end);
  });
}
