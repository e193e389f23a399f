/** What this package needs of a logger. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Strangers may be refused as often as they like; one refusal in this time is logged, with the number of all. */
const EVERY_MS = 10_000;

/** Logs the first refusal, and then one in ten seconds at most. */
export function sparingly(log: Pick<Log, "warn">): (fields: object, message: string) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let refusals = 0;
  return (fields, message) => {
    refusals++;
    const now = performance.now();
    if (now - toldAt < EVERY_MS) return;
    toldAt = now;
    log.warn({ ...fields, refusals }, message);
  };
}
