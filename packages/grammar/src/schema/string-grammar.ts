import { MAX_REPETITIONS } from "../ebnf/repeat.js";
import { Impossible, refuseSchema, Unenforceable } from "../refusals.js";
import { checkKeywords, countOf, type Keywords } from "./json-schema.js";
import type { JsonText } from "./json-text.js";
import type { Place } from "./waivers.js";

const YEAR = "(19|20)\\d\\d";
const MONTH_DAY = "((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))";
const TIME = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-](0\\d|1[0-4]):[0-5]\\d)";
const OCTET = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const LABEL = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?";
const HOST = `${LABEL}(\\.${LABEL}){0,3}`;

/** Each format as a regular expression. They leave out the rare: 29 February, quoted mail addresses, `::` in IPv6. */
export const FORMATS: Readonly<Record<string, string>> = {
  date: `${YEAR}-${MONTH_DAY}`,
  time: TIME,
  "date-time": `${YEAR}-${MONTH_DAY}T${TIME}`,
  duration: "P(\\d{1,4}D|\\d{1,4}W|T\\d{1,4}H|T\\d{1,4}M|T\\d{1,4}S|\\d{1,4}DT\\d{1,2}H)",
  email: `[a-zA-Z0-9_+-]{1,24}(\\.[a-zA-Z0-9_+-]{1,24})?@${HOST}\\.[a-z]{2,6}`,
  hostname: HOST,
  ipv4: `${OCTET}(\\.${OCTET}){3}`,
  ipv6: "[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}",
  uuid: "[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
  uri: `https?://${HOST}(/[A-Za-z0-9_.~/-]*)?`,
};

/** Formats that only other alphabets or variables tell from another one. */
const WIDER: Readonly<Record<string, string>> = {
  "idn-email": "email",
  "idn-hostname": "hostname",
  iri: "uri",
  "iri-reference": "uri",
  "uri-reference": "uri",
  "uri-template": "uri",
};
/** Formats of JSON Schema that no grammar here has. Any other is a note for people, as JSON Schema says. */
const UNENFORCEABLE = new Set(["regex", "json-pointer", "relative-json-pointer"]);

/** The strings of a schema. A pattern matches anywhere in them, unless it says where, as JSON Schema's do. */
export function stringGrammar(json: JsonText, schema: Keywords, place: Place): string {
  const { where } = place;
  const matching = patternOf(json, schema, place) ?? formatOf(json, schema, place);
  if (matching !== undefined) return matching;
  checkKeywords(schema, ["type", "pattern", "format", "minLength", "maxLength"], place);
  const min = countOf(schema, { key: "minLength", where, fallback: 0 });
  const max = countOf(schema, { key: "maxLength", where, fallback: undefined });
  if (max !== undefined && max < min) throw new Impossible(where, `has minLength ${min} above maxLength ${max}`);
  for (const [key, value] of Object.entries({ minLength: min, maxLength: max ?? 0 })) {
    if (value <= MAX_REPETITIONS) continue;
    place.waive(where, `has ${key} ${value}, which repeats a part more than ${MAX_REPETITIONS} times`);
  }
  return json.string(Math.min(min, MAX_REPETITIONS), max !== undefined && max <= MAX_REPETITIONS ? max : undefined);
}

/** undefined where there is no pattern that can be enforced. */
function patternOf(json: JsonText, schema: Keywords, place: Place): string | undefined {
  const { pattern } = schema;
  if (pattern === undefined) return undefined;
  if (typeof pattern !== "string") return refuseSchema(place.where, "has a pattern that is not a string");
  const text = attempt(place, () => json.containing(pattern));
  if (text !== undefined) checkKeywords(schema, ["type", "pattern"], place);
  return text;
}

function formatOf(json: JsonText, schema: Keywords, place: Place): string | undefined {
  const regex = attempt(place, () => regexOf(schema.format));
  if (regex === undefined) return undefined;
  checkKeywords(schema, ["type", "pattern", "format"], place);
  return json.matching(regex);
}

/** Waives what can't be enforced. */
function attempt<T>({ where, waive }: Place, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Unenforceable)) throw error;
    waive(where, error.why);
    return undefined;
  }
}

/** undefined for a format that restricts nothing. Throws Unenforceable. */
function regexOf(format: unknown): string | undefined {
  const name = String(format);
  if (UNENFORCEABLE.has(name)) throw new Unenforceable("", `has the format ${name}, which cannot be enforced`);
  const known = Object.hasOwn(WIDER, name) ? WIDER[name] : name;
  return known !== undefined && Object.hasOwn(FORMATS, known) ? FORMATS[known] : undefined;
}
