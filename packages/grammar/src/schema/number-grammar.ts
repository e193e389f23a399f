import { Impossible, refuseSchema, Unenforceable } from "../refusals.js";
import { integerRange, sameLength } from "./integer-range.js";
import { assertions, checkKeywords, type Keywords } from "./json-schema.js";
import { INTEGER, NUMBER } from "./json-text.js";
import type { Place } from "./waivers.js";

interface Bounds {
  readonly min: number;
  readonly max: number;
  /** Whether the bound itself is excluded. */
  readonly aboveMin: boolean;
  readonly belowMax: boolean;
}

const BOUNDS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];
/** Most decimal places that are written near a bound, one more than the bound has, or is shortened to. */
const MAX_PLACES = 6;

/** OpenAPI's format for 32-bit integers; its other formats of numbers have room for all that are written. */
const INT32 = { format: "int32", min: -(2 ** 31), max: 2 ** 31 - 1 };

/** Alternatives that spell the numbers of a schema of type integer or number. */
export function numberGrammar(given: Keywords, type: "integer" | "number", place: Place): string[] {
  const { where } = place;
  const schema = withExclusiveBounds(given);
  const trivial = schema.multipleOf === 1 && type === "integer" ? ["multipleOf"] : [];
  checkKeywords(schema, ["type", "format", ...BOUNDS, ...trivial], place);
  if (schema.format !== INT32.format && !Object.keys(assertions(schema)).some((key) => BOUNDS.includes(key))) {
    return [type === "integer" ? INTEGER : NUMBER];
  }
  const bounds = boundsOf(schema, where);
  const whole = wholeRange(bounds);
  const ways = [...integerRange(...whole), ...(type === "integer" ? [] : fractions(shortened(bounds)))];
  if (ways.length > 0) return ways;
  if (type === "integer" ? whole[0] > whole[1] : isEmpty(bounds))
    throw new Impossible(where, "has a range that contains no number");
  throw new Unenforceable(where, "has a range of numbers that are too large, or too close together, to be spelled");
}

const isEmpty = ({ min, max, aboveMin, belowMax }: Bounds): boolean =>
  min > max || (min === max && (aboveMin || belowMax));

/** Until draft 4, exclusiveMinimum and exclusiveMaximum said whether the other bounds are excluded. */
function withExclusiveBounds(schema: Keywords): Keywords {
  const bound = (including: string, excluding: string): Keywords => {
    const { [including]: included, [excluding]: excluded } = schema;
    if (typeof excluded !== "boolean") return {};
    return excluded ? { [including]: undefined, [excluding]: included } : { [excluding]: undefined };
  };
  return { ...schema, ...bound("minimum", "exclusiveMinimum"), ...bound("maximum", "exclusiveMaximum") };
}

function boundsOf(schema: Keywords, where: string): Bounds {
  const of = (key: string, fallback: number): number => {
    const value = schema[key];
    if (value === undefined) return fallback;
    return typeof value === "number" ? value : refuseSchema(where, `has a ${key} that is not a number`);
  };
  const [least, most] =
    schema.format === INT32.format ? [INT32.min, INT32.max] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const [minimum, above] = [Math.max(least, of("minimum", least)), of("exclusiveMinimum", Number.NEGATIVE_INFINITY)];
  const [maximum, below] = [Math.min(most, of("maximum", most)), of("exclusiveMaximum", Number.POSITIVE_INFINITY)];
  const [aboveMin, belowMax] = [
    above >= minimum && above > Number.NEGATIVE_INFINITY,
    below <= maximum && below < Number.POSITIVE_INFINITY,
  ];
  return { min: Math.max(minimum, above), max: Math.min(maximum, below), aboveMin, belowMax };
}

/** The smallest and largest whole number within the bounds. */
function wholeRange({ min, max, aboveMin, belowMax }: Bounds): [number, number] {
  const low = Math.ceil(min);
  const high = Math.floor(max);
  return [aboveMin && low === min ? low + 1 : low, belowMax && high === max ? high - 1 : high];
}

/**
 * Numbers with a decimal point: any digits after a whole part whose continuations are all within the bounds, and near
 * the bounds numbers of a fixed number of places.
 */
function fractions(bounds: Bounds): string[] {
  const { min, max, aboveMin, belowMax } = bounds;
  const behind = '"." [0-9]{1,15}';
  // n.d is in [n, n + 1]: its digits may all be zero, or round up.
  const low = aboveMin ? Math.floor(min) + 1 : Math.ceil(min);
  const high = belowMax ? Math.ceil(max) - 2 : Math.floor(max) - 1;
  const negativeLow = aboveMin ? Math.floor(min) + 2 : Math.ceil(min) + 1;
  const negativeHigh = belowMax ? Math.ceil(max) - 1 : Math.floor(max);
  const besideZero = negativeLow <= 0 && (belowMax ? max > 0 : max >= 0) ? [`"-0" ${behind}`] : [];
  const wholes = [...integerRange(negativeLow, Math.min(-1, negativeHigh)), ...integerRange(Math.max(0, low), high)];
  return [...wholes.map((whole) => `${whole} ${behind}`), ...besideZero, ...edges(bounds)];
}

/**
 * Numbers within 1 of a bound that is excluded or not whole, written with one place more than the bounds have:
 * a minimum of 0.25 gives 0.250 to 1.250.
 */
function edges({ min, max, aboveMin, belowMax }: Bounds): string[] {
  const places = Math.max(placesOf(min), placesOf(max)) + 1;
  const scale = 10 ** places;
  const low = Math.round(min * scale) + (aboveMin ? 1 : 0);
  const high = Math.round(max * scale) - (belowMax ? 1 : 0);
  const near = (bound: number, excluded: boolean) =>
    Number.isFinite(bound) && Math.abs(bound) < 1e8 && (excluded || !Number.isInteger(bound) || max - min < 1);
  return [
    ...(near(min, aboveMin) ? fixedPoint(low, Math.min(high, low + scale), places) : []),
    ...(near(max, belowMax) ? fixedPoint(Math.max(low, high - scale), high, places) : []),
  ];
}

/** The numbers m / 10^places for m from low to high, written with all places. */
function fixedPoint(low: number, high: number, places: number): string[] {
  if (low > high) return [];
  if (low < 0 && high >= 0) return [...fixedPoint(low, -1, places), ...fixedPoint(0, high, places)];
  if (high < 0) return fixedPoint(-high, -low, places).map((way) => `"-" ${way}`);
  const scale = 10 ** places;
  const [lowWhole, highWhole] = [Math.floor(low / scale), Math.floor(high / scale)];
  const part = (whole: number, from: number, to: number): string[] =>
    sameLength(digits(from, places), digits(to, places)).map((way) => `"${whole}." ${way}`);
  if (lowWhole === highWhole) return part(lowWhole, low % scale, high % scale);
  const between = integerRange(lowWhole + 1, highWhole - 1).map((whole) => `${whole} "."${" [0-9]".repeat(places)}`);
  return [...part(lowWhole, low % scale, scale - 1), ...between, ...part(highWhole, 0, high % scale)];
}

const digits = (value: number, places: number): string => String(value).padStart(places, "0");

/** Bounds of more decimal places than are written move inwards: what is within them is within the schema's. */
function shortened({ min, max, aboveMin, belowMax }: Bounds): Bounds {
  const [low, high] = [raised(min), -raised(-max)];
  return { min: low, max: high, aboveMin: aboveMin && low === min, belowMax: belowMax && high === max };
}

/** The least number of one place less than are written that is not below `bound`, or the next one. */
function raised(bound: number): number {
  if (placesOf(bound) < MAX_PLACES) return bound;
  const scale = 10 ** (MAX_PLACES - 1);
  const steps = Math.ceil(bound * scale);
  return steps / scale >= bound ? steps / scale : (steps + 1) / scale;
}

/** Decimal places of the shortest spelling: 10 of 1e-10, 17 of 0.30000000000000004. */
function placesOf(value: number): number {
  const [, decimals = "", exponent = 0] = /^-?\d+(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  return Math.max(0, decimals.length - Number(exponent));
}
