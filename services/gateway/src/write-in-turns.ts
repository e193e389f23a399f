import { hasTime, ownTurn } from "./turns.js";

/** A part of JSON that is written natively takes about this long. */
const PART_MS = 1;
/** Elements of a list may be whole choices: of this few, each is written in parts of its own. */
const FEW = 8;
/** Characters of a part whose elements are made as they are written. */
const MADE_PART = 4096;
/** Answers up to this many characters wait once, in a line of their own: `/health`, and refusals. */
const SHORT = 1024;

/** A list whose elements are made whenever it is read, so that nobody holds them all. */
export const madeList = <T>(make: () => Iterator<T>): Iterable<T> => ({ [Symbol.iterator]: make });

/** An object by its text, which must be JSON: its numbers keep the digits that its author wrote. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** JSON.stringify can't write it. */
  toJSON(): never {
    throw new TypeError("A JsonText is written by jsonInTurns");
  }
}

/** The JSON of an object that was parsed, or kept as its text. */
export const jsonTextOf = (value: object): string => (value instanceof JsonText ? value.text : JSON.stringify(value));

/** What JSON.stringify makes of a value; of a bigint in it its digits, of a JsonText its text. */
function exactJson(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (value instanceof JsonText) return value.text;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(exactJson).join(",")}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${exactJson(field)}`).join(",")}}`;
}

/**
 * What JSON.stringify makes of plain objects and lists, for an answer of many megabytes, and of bigints their digits.
 * A list may be any iterable: its elements are made as they are written.
 */
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

/**
 * The same in parts, each of which takes about a millisecond to write. It waits right before it writes: of 1,500 short
 * answers that waited for a promise in between, all were told that there is time, and then written in one turn.
 */
export async function* jsonParts(value: unknown): AsyncGenerator<string, void, undefined> {
  let part = "";
  if (!hasTime()) await ownTurn("answer");
  for (const piece of partsOf(value)) {
    part += piece;
    if (part.length <= SHORT) continue;
    yield part;
    part = "";
    if (!hasTime()) await ownTurn();
  }
  if (part !== "") yield part;
}

/** An object or list inside of another, which is written in parts of its own. */
class Inner {
  readonly value: object;

  constructor(value: object) {
    this.value = value;
  }
}

/** Generators in each other would hand each part up through all levels: 900 of them took 0.13 s for 5 KB. */
function* partsOf(value: unknown): Generator<string, void, undefined> {
  const open: Iterator<string | Inner, void, undefined>[] = [[pieceOf(value)].values()];
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const { done, value: piece } = last.next();
    if (done === true) open.pop();
    else if (typeof piece === "string") yield piece;
    else open.push(piecesOf(piece.value));
  }
}

function pieceOf(value: unknown): string | Inner {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  return value instanceof JsonText ? value.text : new Inner(value);
}

function piecesOf(value: object): Iterator<string | Inner, void, undefined> {
  if (Array.isArray(value)) return listParts(value);
  return Symbol.iterator in value ? madeParts(value as Iterable<unknown>) : objectParts(value);
}

function* listParts(list: readonly unknown[]): Generator<string | Inner, void, undefined> {
  yield "[";
  if (list.length <= FEW) {
    for (const [index, element] of list.entries()) {
      if (index > 0) yield ",";
      yield pieceOf(element);
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
    yield (at > 0 ? "," : "") + sliceJson(slice).slice(1, -1);
    at += slice.length;
    size = performance.now() - beganAt < PART_MS ? size * 2 : Math.max(1, size >> 1);
  }
}

/** Natively unless there is a bigint or a JsonText in it, which JSON.stringify refuses. */
function sliceJson(slice: readonly unknown[]): string {
  try {
    return JSON.stringify(slice);
  } catch {
    return exactJson(slice);
  }
}

/** About 4 Ki characters at a time: 3 tokens with 20 log-probabilities, or a part of an embedding. */
function* madeParts(list: Iterable<unknown>): Generator<string, void, undefined> {
  let part = "[";
  let before = "";
  for (const element of list) {
    part += before + JSON.stringify(element);
    before = ",";
    if (part.length < MADE_PART) continue;
    yield part;
    part = "";
  }
  yield `${part}]`;
}

function* objectParts(object: object): Generator<string | Inner, void, undefined> {
  let before = "{";
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield pieceOf(value);
    before = ",";
  }
  yield before === "{" ? "{}" : "}";
}
