import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { EventLoopOrder } from "./event-loop-thread.js";
import type { Logger } from "./logger.js";
import type { StackSample } from "./main-thread-stack.js";
import { LONG_TURN_MS, longTurnSeconds } from "./process-metrics.js";

/** How often the main thread says that it turns, and the watching thread looks: 0.3 % of a core together. */
const LOOK_MS = 75;

export interface EventLoopOptions {
  /** The name of the process in its log. */
  readonly service: string;
  readonly logger: Logger;
  readonly hungAfterMs: number;
}

/**
 * Has a thread watch this process's event loop. A turn above 200 ms is counted and logged with its length and with the
 * stacks that the thread found while it ran. A loop that does not turn for `hungAfterMs` ends the process with SIGKILL,
 * so that its supervisor starts it again.
 */
export function watchEventLoop({ service, logger, hungAfterMs }: EventLoopOptions): void {
  const { port1: samples, port2 } = new MessageChannel();
  const turns = new BigInt64Array(new SharedArrayBuffer(8));
  const order = { service, turns, samples: port2, lookMs: LOOK_MS, sampleAfterMs: 2 * LOOK_MS, hungAfterMs };
  new Worker(new URL("./event-loop-thread.js", import.meta.url), {
    workerData: order satisfies EventLoopOrder,
    transferList: [port2],
    execArgv: [],
  }).unref();
  samples.unref();
  let turnedAt = performance.now();
  let cpuBefore = process.cpuUsage();
  setInterval(() => {
    Atomics.add(turns, 0, 1n);
    const now = performance.now();
    const turnMs = now - turnedAt - LOOK_MS;
    const { user, system } = process.cpuUsage(cpuBefore);
    if (turnMs > LONG_TURN_MS) {
      longTurnSeconds.observe(turnMs / 1000);
      // Little processor time, of all threads, in a long turn: the process was stopped or starved rather than busy.
      const fields = { turnMs: Math.round(turnMs), cpuMs: Math.round((user + system) / 1000) };
      logger.warn({ ...fields, stacks: stacksSince(turnedAt, samples) }, "long turn of the event loop");
    }
    turnedAt = now;
    cpuBefore = process.cpuUsage();
  }, LOOK_MS).unref();
}

/** The stacks taken since `sinceMs`. Others came too late for the log's line of their turn, and are dropped. */
export function stacksSince(sinceMs: number, samples: MessagePort): readonly (readonly string[])[] {
  const next = receiveMessageOnPort(samples);
  if (next === undefined) return [];
  const { atMs, stack } = next.message as StackSample;
  const later = stacksSince(sinceMs, samples);
  return atMs >= sinceMs ? [stack, ...later] : later;
}
