import { setImmediate } from "node:timers";

/** Work goes on for this long before the event loop turns. */
const TURN_MS = 10;
/**
 * After work, connections alone are accepted for this long, if one comes in every turn. While 7,000 came with 16
 * requests each, 10 ms held up another stream for 0.6 s, and 3 ms for 0.1 s; for 500 that left at once 3 do as well.
 */
const ACCEPT_MS = 3;
/** A turn that accepts takes less. */
const ACCEPT_TURN_MS = 2;
/** Places of a turn for those who wait, at most: each is an immediate, behind which promises run before the next. */
const PLACES = 256;
/** Requests whose work or answer waits, beyond which they go before bytes. */
const MANY = 16;
/** Elements of a list that are mapped between two looks at the clock. */
const SLICE = 8;

/**
 * What may wait for time: an event of a stream, a short answer, the end of 64 choices, other work of a request that has
 * begun, and bytes that arrive, of one small request or of more.
 */
export type Kind = "event" | "answer" | "end" | "work" | "small" | "bytes";

const waiting: Readonly<Record<Kind, (() => void)[]>> = {
  event: [],
  answer: [],
  end: [],
  work: [],
  small: [],
  bytes: [],
};
const lines = Object.values(waiting);
/** The line that had the last place. */
let lastLine = 0;
/** Whether those who wait have places in the next turn. */
let isServing = false;
/** When the work of this turn began, of all requests together. */
let beganAt: number | undefined;
/** When the last turn with work was over. */
let workedAt = Number.NEGATIVE_INFINITY;
let acceptedAt = Number.NEGATIVE_INFINITY;

/**
 * To be called for each connection. Node accepts one in a turn of the event loop: when 500 clients connected while
 * 500 requests were at work, `/health` was accepted 3 s later. So after a turn with work come turns that accept and do
 * nothing else.
 */
export function accepted(): void {
  acceptedAt = performance.now();
}

function isAccepting(): boolean {
  const now = performance.now();
  return isWithin(ACCEPT_TURN_MS, now - acceptedAt) && isWithin(ACCEPT_MS, now - workedAt);
}

/** False for a time ahead of the clock, which a test may set back. */
const isWithin = (mostMs: number, passedMs: number): boolean => passedMs >= 0 && passedMs < mostMs;

/**
 * Whether the work of this turn, of all requests together, has gone on for less than 10 ms. To be asked right before
 * work that many may be about to do: those who wait for a promise first are all told that there is time, and then go on
 * in the same turn.
 */
export function hasTime(): boolean {
  if (isAccepting()) return false;
  return performance.now() - (beganAt ?? begin()) < TURN_MS;
}

function begin(): number {
  const now = performance.now();
  beganAt = now;
  setImmediate(() => {
    if (beganAt !== now) return;
    beganAt = undefined;
    workedAt = performance.now();
  });
  return now;
}

/**
 * Calls `go` in a turn that has time left. Each kind has a line of its own, and the lines take turns: an event is short
 * and its client waits for it, but in one line with the refusals of 500 clients it came six turns late. In every turn
 * one of each goes on, whatever time is left, so that none starves.
 */
export function whenTime(kind: Kind, go: () => void): void {
  waiting[kind].push(go);
  if (isServing) return;
  isServing = true;
  setImmediate(serve);
}

function serve(): void {
  if (isAccepting()) {
    setImmediate(serve);
    return;
  }
  begin();
  for (const line of lines) line.shift()?.();
  const places = lines.reduce((sum, { length }) => Math.min(PLACES, sum + length), 0);
  isServing = places > 0;
  if (!isServing) return;
  setImmediate(serve);
  for (let each = 0; each < places; each++) setImmediate(serveNext);
}

function serveNext(): void {
  if (hasTime()) nextLine()?.shift()?.();
}

/** Bytes become new requests: while many that have begun wait, each line of bytes has one place in a turn. */
function nextLine(): (() => void)[] | undefined {
  const hasMany = waiting.work.length + waiting.answer.length > MANY;
  for (let each = 0; each < lines.length; each++) {
    lastLine = (lastLine + 1) % lines.length;
    const line = lines[lastLine];
    if (hasMany && (line === waiting.small || line === waiting.bytes)) continue;
    if (line !== undefined && line.length > 0) return line;
  }
  return undefined;
}

/** Waits for a turn that has time left, which may be this one. For work of a few milliseconds at most. */
export async function timeLeft(kind: Kind = "work"): Promise<void> {
  if (!hasTime()) await ownTurn(kind);
}

/**
 * Waits in any case. For the work of requests that may all be ready at once: they go on one after another, in their
 * order, as many in each turn as do so within 10 ms.
 */
export function ownTurn(kind: Kind = "work"): Promise<void> {
  return new Promise((resolve) => whenTime(kind, resolve));
}

export async function mapInTurns<T, R>(items: readonly T[], make: (item: T) => R): Promise<readonly R[]> {
  const made: R[] = [];
  for (let at = 0; at < items.length; at += SLICE) {
    made.push(...items.slice(at, at + SLICE).map(make));
    await timeLeft();
  }
  return made;
}
