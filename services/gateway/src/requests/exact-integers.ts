import { endOfText } from "../parse-in-turns.js";
import { hasTime, ownTurn } from "../turns.js";

/** Digits of an integer that a double may not hold. */
const LONG = /\d{16}/;
/** A number with a fraction or an exponent is no integer of its digits alone. 1,000 digits take a microsecond. */
const INTEGER = /^-?\d{16,1000}$/;
const NUMBER = /-?\d[\d.eE+-]*/y;
const COLON_NEXT = /[ \t\n\r]*:/y;

/** Names of fields and indices of lists, from the outside in. */
type Path = readonly (string | number)[];

/** Where a request may be: a body, a batch's line, a job. In these paths 0 is any index. */
const REQUESTS: readonly Path[] = [[], ["body"], ["requests", 0, "body"]];
const SEEDS: readonly Path[] = [["seed"], ["random_seed"]];
/** What the arguments of earlier calls are in, of chats and of Anthropic's messages. */
const ARGUMENTS: readonly Path[] = [
  ["messages", 0, "tool_calls", 0, "function", "arguments"],
  ["messages", 0, "function_call", "arguments"],
  ["messages", 0, "content", 0, "input"],
];
const inRequests = (paths: readonly Path[]): readonly Path[] =>
  REQUESTS.flatMap((request) => paths.map((path) => [...request, ...path]));
const [EXACT, EXACT_INSIDE] = [inRequests(SEEDS), inRequests(ARGUMENTS)];

/** Whether all digits of an integer in this place matter. */
const isExact = (path: Path): boolean =>
  EXACT.some((place) => place.length === path.length && leadsTo(path, place)) ||
  EXACT_INSIDE.some((place) => leadsTo(path, place));

const leadsTo = (path: Path, place: Path): boolean =>
  place.every((step, depth) => (step === 0 ? typeof path[depth] === "number" : path[depth] === step));

/**
 * Puts a bigint with the digits of `text` in the place of each integer beyond 2^53 whose digits matter: seeds, and the
 * arguments of calls. `parsed`: what JSON.parse made of the text, which rounds them. Node 20 has no parser that shows
 * the digits.
 */
export async function exactIntegers(text: string, parsed: unknown): Promise<void> {
  if (!LONG.test(text)) return;
  /** Of each open list the index, of each open object the last key. */
  const path: (string | number)[] = [];
  for (let at = 0; at < text.length; at++) {
    const sign = text.charAt(at);
    if (sign === '"') {
      const end = endOfText(text, at) ?? text.length;
      if (isKey(text, end, path)) path[path.length - 1] = JSON.parse(text.slice(at, end + 1));
      at = end;
    } else if (sign === "{") path.push("");
    else if (sign === "[") path.push(0);
    else if (sign === "}" || sign === "]") path.pop();
    else if (sign === ",") next(path);
    else {
      NUMBER.lastIndex = at;
      const number = NUMBER.exec(text)?.[0];
      if (number === undefined) continue;
      if (INTEGER.test(number) && isExact(path)) put(parsed, path, BigInt(number));
      at += number.length - 1;
    }
    if (!hasTime()) await ownTurn();
  }
}

function isKey(text: string, end: number, path: Path): boolean {
  COLON_NEXT.lastIndex = end + 1;
  return typeof path.at(-1) === "string" && COLON_NEXT.test(text);
}

function next(path: (string | number)[]): void {
  const index = path.at(-1);
  if (typeof index === "number") path[path.length - 1] = index + 1;
}

/** Of two equal keys JSON.parse takes the last, so only a number that these digits make gives way. */
function put(parsed: unknown, path: Path, exact: bigint): void {
  if (Number.isSafeInteger(Number(exact))) return;
  const holder = path.slice(0, -1).reduce(valueIn, parsed);
  const last = path.at(-1) ?? "";
  const rounded = valueIn(holder, last);
  const isRounded = typeof rounded === "number" || typeof rounded === "bigint";
  if (isRounded && Number(rounded) === Number(exact)) (holder as Record<string | number, unknown>)[last] = exact;
}

const valueIn = (holder: unknown, step: string | number): unknown =>
  typeof holder === "object" && holder !== null && Object.hasOwn(holder, step)
    ? (holder as Readonly<Record<string | number, unknown>>)[step]
    : undefined;
