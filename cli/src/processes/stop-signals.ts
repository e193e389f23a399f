import { RhoneError } from "@rhone/common";

export interface StopSignals {
  /** The first signal: end in order. */
  readonly stop: AbortSignal;
  /** The second one: end at once. */
  readonly kill: AbortSignal;
}

/** Turns the signals that ask a process to end into two abort signals. `onStop` hears of the first. */
export function listenForStop(onStop: () => void): StopSignals {
  const stop = new AbortController();
  const kill = new AbortController();
  const hear = (): void => {
    if (stop.signal.aborted) kill.abort();
    else {
      stop.abort(new RhoneError("CANCELLED", "Interrupted."));
      onStop();
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, hear);
  return { stop: stop.signal, kill: kill.signal };
}
