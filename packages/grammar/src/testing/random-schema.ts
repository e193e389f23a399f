import type { JsonSchema } from "../schema/json-schema.js";

/** A whole number in [0, below). */
export type Dice = (below: number) => number;

/** Repeatable dice: xorshift32 from a seed. */
export function diceOf(seed: number): Dice {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const NAMES = ["a", "b", "ab", "city", "Größe", 'say "x"', "", "tool-name", "日本"];
const PATTERNS = [
  "^[A-Z]{2,4}$",
  "^[^a]x.\\d$",
  "^(foo|bar)+baz?$",
  "^\\w{1,3}\\s\\S$",
  "^a$|^b$",
  "^[\\u00e0-\\u00ff]{2}$",
  "^x{0,3}y?$",
];
const FORMATS = ["date", "time", "date-time", "email", "uuid", "ipv4", "ipv6", "hostname", "uri", "duration"];

/** A schema whose texts are all short, for models that end strings by chance alone. */
export function randomSchema(dice: Dice, depth = 0): JsonSchema {
  const pick = <T>(list: readonly T[]): T => list[dice(list.length)] as T;
  const kind = dice(depth > 2 ? 8 : 13);
  switch (kind) {
    case 0:
      return { type: "boolean" };
    case 1:
      return {
        enum: Array.from({ length: 1 + dice(4) }, () => pick(["x", 'q"\\', 3, -1.5, null, true, { k: [1] }, "é"])),
      };
    case 2:
    case 3: {
      const minLength = dice(4);
      return { type: "string", minLength, maxLength: minLength + dice(6) };
    }
    case 4:
      return { type: "string", pattern: pick(PATTERNS) };
    case 5:
      return { type: "string", format: pick(FORMATS) };
    case 6:
      return randomNumber(dice, "integer");
    case 7:
      return randomNumber(dice, "number");
    case 8:
      return { anyOf: Array.from({ length: 1 + dice(3) }, () => randomSchema(dice, depth + 1)) };
    case 9: {
      const minItems = dice(3);
      return { type: "array", items: randomSchema(dice, depth + 1), minItems, maxItems: minItems + dice(3) };
    }
    case 10:
      return {
        type: "array",
        prefixItems: [randomSchema(dice, depth + 1), randomSchema(dice, depth + 1)],
        items: false,
        minItems: dice(3),
      };
    default:
      return randomObject(dice, depth);
  }
}

function randomNumber(dice: Dice, type: "integer" | "number"): JsonSchema {
  const base = [0, 1, -1, 7, -120, 999, 0.5, -2.25, 3.125][dice(type === "integer" ? 6 : 9)] ?? 0;
  const width = [1, 2, 5, 100, 12345, 0.25, 0.75][dice(type === "integer" ? 5 : 7)] ?? 1;
  const lower = { [dice(2) === 0 ? "minimum" : "exclusiveMinimum"]: base };
  const upper = { [dice(3) === 0 && width > 1 ? "exclusiveMaximum" : "maximum"]: base + width };
  return { type, ...(dice(4) > 0 && lower), ...(dice(4) > 0 && upper) };
}

function randomObject(dice: Dice, depth: number): JsonSchema {
  const names = NAMES.filter(() => dice(3) === 0);
  const properties = Object.fromEntries(names.map((name) => [name, randomSchema(dice, depth + 1)]));
  return { type: "object", properties, required: names.filter(() => dice(2) === 0), additionalProperties: false };
}
