/**
 * Ends the process because an invariant is broken: what it holds can no longer be trusted. The error is thrown where no
 * caller can catch it, so `runService` logs it, announces it and exits with 1; the caller's own cleanup still runs first.
 */
export function crash(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
