import { Worker } from "node:worker_threads";
import type { Security } from "../security/security.js";
import { BUSY_US, type HeartbeatOrder, STEPS, TURNS } from "./heartbeat-order.js";

/** How often the main thread writes its counters, and the thread looks at them. */
const LOOK_MS = 250;

export interface HeartbeatsOptions {
  /** host:port of the coordinator. */
  readonly coordinator: string;
  readonly security: Security;
  readonly worker: string;
  /** Steps run and microseconds spent in them, since the process started. */
  readonly counts: () => { readonly steps: number; readonly busyUs: number };
  /** Called when the coordinator has not answered for 5 s, and every 5 s while it does not. */
  readonly onSilent?: () => void;
}

/**
 * A worker's heartbeats, sent by a thread of their own. They go on while the main thread is busy, and say for how long
 * it has been.
 */
export class Heartbeats {
  readonly #thread: Worker;
  readonly #timer: NodeJS.Timeout;

  constructor({ coordinator, security, worker, counts, onSilent = () => {} }: HeartbeatsOptions) {
    const counters = new BigInt64Array(new SharedArrayBuffer(3 * BigInt64Array.BYTES_PER_ELEMENT));
    const order = {
      coordinator,
      security: security.config,
      worker,
      counters,
      lookMs: LOOK_MS,
    } satisfies HeartbeatOrder;
    this.#thread = new Worker(new URL("./heartbeat-thread.bundle.js", import.meta.url), {
      workerData: order,
      execArgv: [],
    });
    this.#thread.on("message", onSilent);
    this.#thread.unref();
    this.#timer = setInterval(() => {
      const { steps, busyUs } = counts();
      Atomics.add(counters, TURNS, 1n);
      Atomics.store(counters, STEPS, BigInt(steps));
      Atomics.store(counters, BUSY_US, BigInt(busyUs));
    }, LOOK_MS).unref();
  }

  /** Sends one every `everyMs` from now on. */
  begin(everyMs: number): void {
    this.#thread.postMessage(everyMs);
  }

  pause(): void {
    this.#thread.postMessage(0);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#thread.terminate();
  }
}
