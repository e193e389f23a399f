import { hasTime, ownTurn } from "../turns.js";
import { JsonText } from "../write-in-turns.js";

/** Digits of an integer that a double may not hold. */
const LONG = 16;
/** A number with a fraction or an exponent is no integer of its digits alone. Longer ones are no seeds. */
const SEED = /^-?\d{16,20}$/;
const NUMBER = /-?\d[\d.eE+-]*/y;
/** White space, colons and literals. */
const OTHERS = /[^"{}[\],\d-]+/y;
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

const isOneOf = (places: readonly Path[]) => {
  const all = REQUESTS.flatMap((request) => places.map((place) => [...request, ...place]));
  return (path: Path): boolean => all.some((place) => isAt(path, place));
};
const isAt = (path: Path, place: Path): boolean =>
  path.length === place.length &&
  place.every((step, depth) => (step === 0 ? typeof path[depth] === "number" : path[depth] === step));
const isSeed = isOneOf(SEEDS);
const isArguments = isOneOf(ARGUMENTS);

/**
 * Gives numbers that JSON.parse rounded to make `parsed` of `text` their digits back, where these matter: a seed
 * beyond 2^53 becomes a bigint, and the arguments of a call that hold a long number their JsonText. Node 20 has no
 * parser that shows the digits.
 */
export async function exactIntegers(text: string, parsed: unknown): Promise<void> {
  if (!(await hasLong(text))) return;
  /** Of each open list the index, of each open object the last key. */
  const path: (string | number)[] = [];
  /** The arguments that are open: where they begin, on which level, and whether they hold a long number. */
  let open: { readonly from: number; readonly depth: number; isLong: boolean } | undefined;
  for (let at = 0; at < text.length; at++) {
    const sign = text.charAt(at);
    if (sign === '"') {
      const end = await endOfText(text, at);
      if (isKey(text, end, path)) path[path.length - 1] = JSON.parse(text.slice(at, end + 1));
      at = end;
    } else if (sign === "{") {
      if (isArguments(path)) open = { from: at, depth: path.length, isLong: false };
      path.push("");
    } else if (sign === "[") path.push(0);
    else if (sign === "}" || sign === "]") {
      path.pop();
      if (open?.depth === path.length) {
        keepText(parsed, path, { text: text.slice(open.from, at + 1), isLong: open.isLong });
        open = undefined;
      }
    } else if (sign === ",") next(path);
    else {
      const number = matchAt(NUMBER, text, at);
      if (open !== undefined) open.isLong ||= number.length >= LONG;
      else if (SEED.test(number) && isSeed(path)) putSeed(parsed, path, BigInt(number));
      at += Math.max(1, (number || matchAt(OTHERS, text, at)).length) - 1;
    }
    if (!hasTime()) await ownTurn();
  }
}

/**
 * Whether as many digits are in a row somewhere. One of them is at each multiple of the number, so that most characters
 * are not looked at: a regular expression took 0.4 s in one turn for 8 MB of shorter rows.
 */
async function hasLong(text: string): Promise<boolean> {
  for (let at = LONG - 1; at < text.length; at += LONG) {
    if (!isDigit(text, at)) continue;
    let [first, last] = [at, at];
    while (isDigit(text, first - 1)) first--;
    while (isDigit(text, last + 1) && last - first < LONG) last++;
    if (last - first + 1 >= LONG) return true;
    if (!hasTime()) await ownTurn();
  }
  return false;
}

const [ZERO, NINE] = [..."09"].map((sign) => sign.charCodeAt(0)) as [number, number];

function isDigit(text: string, at: number): boolean {
  const sign = text.charCodeAt(at);
  return sign >= ZERO && sign <= NINE;
}

/** "" for none. */
function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

/** The index of the quote that ends the text which begins behind `from`. */
async function endOfText(text: string, from: number): Promise<number> {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (text[first - 1] === "\\") first--;
    if ((at - first) % 2 === 0) return at;
    if (!hasTime()) await ownTurn();
  }
  return text.length;
}

const isKey = (text: string, end: number, path: Path): boolean =>
  typeof path.at(-1) === "string" && matchAt(COLON_NEXT, text, end + 1) !== "";

function next(path: (string | number)[]): void {
  const index = path.at(-1);
  if (typeof index === "number") path[path.length - 1] = index + 1;
}

/** Of two equal keys JSON.parse takes the last, so only a number that these digits make gives way. */
function putSeed(parsed: unknown, path: Path, seed: bigint): void {
  const rounded = valueAt(parsed, path);
  const isRounded = typeof rounded === "number" || typeof rounded === "bigint";
  if (isRounded && !Number.isSafeInteger(Number(seed)) && Number(rounded) === Number(seed)) put(parsed, path, seed);
}

interface Arguments {
  readonly text: string;
  readonly isLong: boolean;
}

/** Without a long number they stay as they were parsed, unless those under an equal key before them did not. */
function keepText(parsed: unknown, path: Path, { text, isLong }: Arguments): void {
  const value = valueAt(parsed, path);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isObject && (isLong || value instanceof JsonText)) put(parsed, path, new JsonText(text));
}

function put(parsed: unknown, path: Path, value: unknown): void {
  const holder = valueAt(parsed, path.slice(0, -1)) as Record<string | number, unknown>;
  holder[path.at(-1) ?? ""] = value;
}

const valueAt = (parsed: unknown, path: Path): unknown =>
  path.reduce(
    (holder, step) =>
      typeof holder === "object" && holder !== null && Object.hasOwn(holder, step)
        ? (holder as Readonly<Record<string | number, unknown>>)[step]
        : undefined,
    parsed,
  );
