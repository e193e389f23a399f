import { RhoneError } from "@rhone/common";

export interface StopSignals {
  /** Aborted by the first signal: stop in order. */
  readonly stop: AbortSignal;
  /** Aborted by the second signal: kill. */
  readonly kill: AbortSignal;
}

/** Turns SIGINT, SIGTERM and SIGHUP into two abort signals. `onStop` is called at the first. */
export function listenForStop(onStop: () => void): StopSignals {
  const stop = new AbortController();
  const kill = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) kill.abort();
    else {
      stop.abort(new RhoneError("CANCELLED", "Interrupted."));
      onStop();
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  return { stop: stop.signal, kill: kill.signal };
}
