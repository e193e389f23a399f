/** Most digits of a whole number: a double holds every number of 15 digits exactly. */
export const MAX_DIGITS = 15;
const LARGEST = 10 ** MAX_DIGITS - 1;

/**
 * Alternatives that spell the whole numbers from `min` to `max` of at most MAX_DIGITS digits; empty for an empty range.
 */
export function integerRange(min: number, max: number): string[] {
  const [low, high] = [Math.max(min, -LARGEST), Math.min(max, LARGEST)];
  if (low > high) return [];
  const negative = low < 0 ? naturals(Math.max(1, -high), -low).map((digits) => `"-" ${digits}`) : [];
  return high < 0 ? negative : [...negative, ...naturals(Math.max(0, low), high)];
}

/** Splits by number of digits and by prefix: 7 to 123 is 7-9, 10-99, 100-119, 120-123. */
function naturals(low: number, high: number): string[] {
  const ways: string[] = [];
  for (let digits = 1; digits <= MAX_DIGITS; digits++) {
    const [from, to] = [Math.max(low, digits === 1 ? 0 : 10 ** (digits - 1)), Math.min(high, 10 ** digits - 1)];
    if (from <= to) ways.push(...sameLength(String(from), String(to)));
  }
  return ways;
}

/** The numbers from `from` to `to`, which have the same number of digits; both are included. */
export function sameLength(from: string, to: string): string[] {
  if (from === to) return from === "" ? [] : [`"${from}"`];
  const [a, b] = [from[0] ?? "", to[0] ?? ""];
  const [restA, restB] = [from.slice(1), to.slice(1)];
  if (a === b) return sameLength(restA, restB).map((rest) => `"${a}" ${rest}`);
  const [least, most] = [/^0*$/.test(restA), /^9*$/.test(restB)];
  const [first, last] = [least ? Number(a) : Number(a) + 1, most ? Number(b) : Number(b) - 1];
  const any = restA === "" ? "" : " [0-9]".repeat(restA.length);
  return [
    ...(least ? [] : sameLength(restA, "9".repeat(restA.length)).map((rest) => `"${a}" ${rest}`)),
    ...(first <= last ? [`[${first}-${last}]${any}`] : []),
    ...(most ? [] : sameLength("0".repeat(restB.length), restB).map((rest) => `"${b}" ${rest}`)),
  ];
}
