import type { ChildProcess } from "node:child_process";
import { Stillness } from "../observability/stillness.js";
import { LauncherWake } from "./launcher-wake.js";

/** How often a service shows its launcher that its event loop turns, and how often the launcher looks. */
const PULSE_MS = 500;
/** For a service to start; long enough to read a large vocabulary or append-only file. */
const START_DEADLINE_MS = 180_000;

/** Sent by a service that listens, for as long as its event loop turns. */
export interface Pulse {
  readonly kind: "pulse";
}

/** Begins to send pulses to the launcher, and wakes it when it was stopped; does nothing in a process that has none. */
export function beginPulse(): void {
  if (process.send === undefined) return;
  const wake = new LauncherWake();
  let isUnderWay = false;
  // One at a time: a launcher that is stopped itself reads none, and they must not pile up here.
  const pulse = (): void => {
    if (process.connected) wake.look();
    if (isUnderWay || !process.connected) return;
    isUnderWay = true;
    process.send?.({ kind: "pulse" } satisfies Pulse, () => {
      isUnderWay = false;
    });
  };
  pulse();
  setInterval(pulse, PULSE_MS).unref();
}

export interface PulseWatchOptions {
  /** Seconds are counted in looks of this process, so one that was suspended itself blames no child for that time. */
  readonly hungAfterMs: number;
  /** Called at most once, with what is wrong: "hung: its event loop did not turn for 4 s". */
  readonly onHung: (problem: string) => void;
}

/**
 * Watches the pulse of a forked child. A child that starts may be busy for 180 s; from its first pulse on it must not
 * miss as many as make `hungAfterMs`. From a quarter of that on it is woken, also while it starts, in case it was
 * stopped: a signal that one which runs does not notice. Ends with the child, or by the function that it returns.
 */
export function watchPulse(child: ChildProcess, { hungAfterMs, onHung }: PulseWatchOptions): () => void {
  const stillness = new Stillness();
  const starting = Math.ceil(START_DEADLINE_MS / PULSE_MS);
  const turning = Math.ceil(hungAfterMs / PULSE_MS);
  let pulses = 0;
  const timer = setInterval(() => {
    const still = stillness.look(pulses);
    if (still >= Math.ceil(turning / 4)) child.kill("SIGCONT");
    if (still < (pulses > 0 ? turning : starting)) return;
    clearInterval(timer);
    if (pulses > 0) onHung(`hung: its event loop did not turn for ${hungAfterMs / 1000} s`);
    else onHung(`did not start within ${START_DEADLINE_MS / 1000} s`);
  }, PULSE_MS);
  child.on("message", ({ kind }: { readonly kind?: string }) => {
    if (kind === "pulse") pulses += 1;
  });
  const end = (): void => clearInterval(timer);
  child.once("exit", end);
  return end;
}
