import { setImmediate } from "node:timers";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";

/** Work goes on for this long before the event loop turns. */
const TURN_MS = 20;
/** Elements of a list that are mapped between two looks at the clock. */
const SLICE = 8;
/** A part of JSON that is written natively takes about this long. */
const PART_MS = 1;
/** Elements of a list may be whole choices: of so few, each is written in parts of its own. */
const FEW = 8;

/** When the work of this turn began, of all requests together. */
let beganAt: number | undefined;

/**
 * Lets the event loop turn once the work of all requests has gone on for 20 ms, so that others are served between the
 * parts of long work. For work of a millisecond at most, such as an event of a stream, which waits for one turn only.
 */
export async function nextTurn(): Promise<void> {
  if (!hasTime()) await turnOfTheLoop();
}

/**
 * Whether the work of this turn, of all requests together, has gone on for less than `ms`. To be asked right before
 * work that many may be about to do: those who wait for a promise first are all told that there is time, and then go on
 * in the same turn.
 */
export function hasTime(ms = TURN_MS): boolean {
  if (beganAt !== undefined) return performance.now() - beganAt < ms;
  beganAt = performance.now();
  setImmediate(() => {
    beganAt = undefined;
  });
  return true;
}

/** Waits for a turn that has time left, which may be this one. For work of a few milliseconds at most. */
export async function timeLeft(): Promise<void> {
  while (!hasTime()) await turnOfTheLoop();
}

/**
 * Waits for a later turn that has time left. For the work of requests that may all be ready at once: they go on one
 * after another, in their order, as many in each turn as do so within 20 ms.
 */
export async function ownTurn(): Promise<void> {
  await turnOfTheLoop();
  await timeLeft();
}

export async function mapInTurns<T, R>(items: readonly T[], make: (item: T) => R): Promise<readonly R[]> {
  const made: R[] = [];
  for (let at = 0; at < items.length; at += SLICE) {
    made.push(...items.slice(at, at + SLICE).map(make));
    await timeLeft();
  }
  return made;
}

/** What JSON.stringify makes of plain objects and lists, for an answer of many megabytes. */
export async function jsonInTurns(value: unknown): Promise<string> {
  return (await shortJsonInTurns(value, Number.POSITIVE_INFINITY)) ?? "";
}

/** The same; undefined when it is longer than `most` characters. */
export async function shortJsonInTurns(value: unknown, most: number): Promise<string | undefined> {
  const parts: string[] = [];
  let length = 0;
  for await (const part of jsonParts(value)) {
    parts.push(part);
    length += part.length;
    if (length > most) return undefined;
  }
  return parts.join("");
}

/** The same in parts, each of which takes about a millisecond to write. */
export async function* jsonParts(value: unknown): AsyncGenerator<string, void, undefined> {
  for (const part of partsOf(value)) {
    yield part;
    await timeLeft();
  }
}

function* partsOf(value: unknown): Generator<string, void, undefined> {
  if (typeof value !== "object" || value === null) yield JSON.stringify(value) ?? "null";
  else if (Array.isArray(value)) yield* listParts(value);
  else yield* objectParts(value);
}

function* listParts(list: readonly unknown[]): Generator<string, void, undefined> {
  yield "[";
  if (list.length <= FEW) {
    for (const [index, element] of list.entries()) {
      if (index > 0) yield ",";
      yield* partsOf(element);
    }
  } else yield* sliceParts(list);
  yield "]";
}

/** The slices grow while they are written in less than a millisecond. */
function* sliceParts(list: readonly unknown[]): Generator<string, void, undefined> {
  let size = 1;
  for (let at = 0; at < list.length; ) {
    const beganAt = performance.now();
    const slice = list.slice(at, at + size);
    yield (at > 0 ? "," : "") + JSON.stringify(slice).slice(1, -1);
    at += slice.length;
    size = performance.now() - beganAt < PART_MS ? size * 2 : Math.max(1, size >> 1);
  }
}

function* objectParts(object: object): Generator<string, void, undefined> {
  let before = "{";
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield* partsOf(value);
    before = ",";
  }
  yield before === "{" ? "{}" : "}";
}
