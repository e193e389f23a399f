export const MOST_WINDOW_HOURS = 7 * 24;

/** The seconds of a batch's window, such as "24h" or "90m"; null for any other text, and above a week. */
export function windowSeconds(text: string): number | null {
  const [, count, unit] = /^([1-9]\d{0,4})([hm])$/.exec(text) ?? [];
  const seconds = Number(count) * (unit === "h" ? 3600 : 60);
  return seconds <= MOST_WINDOW_HOURS * 3600 ? seconds : null;
}

/** Completes "Give …" and "must be …". */
export const WINDOW_SYNTAX =
  `minutes or hours, from 1m to ${MOST_WINDOW_HOURS}h, such as 90m or 24h, after which the batch ends and its unanswered ` +
  "requests expire";
