import { timeLeft } from "../turns.js";

type Fields = Record<string, unknown>;

/** A seed beyond 2^53, as JSON.parse rounded it. */
interface Rounded {
  readonly body: Fields;
  readonly key: "seed" | "random_seed";
  readonly value: number;
}

/**
 * The seeds of what was parsed that a double cannot hold: of a request, of a batch's line, and of a job's requests. To
 * be made exact by `exactSeeds`.
 */
export function roundedSeeds(parsed: unknown): readonly Rounded[] {
  if (!isObject(parsed)) return [];
  const { body, requests } = parsed;
  const inside = Array.isArray(requests) ? requests.map((request) => (isObject(request) ? request.body : null)) : [];
  return [parsed, body, ...inside].flatMap((each) => (isObject(each) ? roundedIn(each) : []));
}

function roundedIn(body: Fields): readonly Rounded[] {
  return (["seed", "random_seed"] as const).flatMap((key) => {
    const value = body[key];
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? [{ body, key, value: value as number }] : [];
  });
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Puts a bigint with the digits of `text` in the place of each seed. Node 20 has no parser that shows the digits. */
export async function exactSeeds(text: string, rounded: readonly Rounded[]): Promise<void> {
  // Those that were rounded to one number have the order of the text.
  const waiting = new Map<string, Rounded[]>();
  for (const seed of rounded.toReversed()) {
    const same = waiting.get(nameOf(seed)) ?? [];
    waiting.set(nameOf(seed), same);
    same.push(seed);
  }
  let left = rounded.length;
  for (let at = text.indexOf(KEY_END); at >= 0 && left > 0; at = text.indexOf(KEY_END, at + KEY_END.length)) {
    await timeLeft();
    const found = integerAt(text, at);
    const seed = found === null ? undefined : waiting.get(nameOf(found))?.pop();
    if (seed === undefined || found === null) continue;
    seed.body[seed.key] = found.exact;
    left--;
  }
}

const nameOf = ({ key, value }: Omit<Rounded, "body">): string => `${key} ${value}`;

/** The end of both keys. */
const KEY_END = 'seed"';
/** What follows a key. A number with a fraction or an exponent is no integer of its digits alone. */
const INTEGER = /seed"[ \t\n\r]*:[ \t\n\r]*(-?\d{16,20})(?![\d.eE])/y;

/** The long integer under the key that ends with `seed"` at `at`; null: there is none. */
function integerAt(text: string, at: number): (Omit<Rounded, "body"> & { readonly exact: bigint }) | null {
  const key = (["seed", "random_seed"] as const).find((name) => text.startsWith(`"${name}"`, at + 3 - name.length));
  if (key === undefined) return null;
  // A quote that is escaped is inside a text.
  if (text[at + 2 - key.length] === "\\") return null;
  INTEGER.lastIndex = at;
  const digits = INTEGER.exec(text)?.[1];
  return digits === undefined ? null : { key, value: Number(digits), exact: BigInt(digits) };
}
