import { Impossible, refuseSchema, unenforceable } from "../refusals.js";
import { checkKeywords, countOf, type Keywords } from "./json-schema.js";
import type { JsonText } from "./json-text.js";

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

/** The strings of a schema. A pattern matches from beginning to end, which is narrower than JSON Schema's search. */
export function stringGrammar(json: JsonText, schema: Keywords, where: string): string {
  const { pattern, format } = schema;
  if (pattern !== undefined) {
    checkKeywords(schema, ["type", "pattern"], where);
    if (typeof pattern !== "string") return refuseSchema(where, "has a pattern that is not a string");
    return json.matching(pattern);
  }
  const regex = regexOf(format, where);
  if (regex !== undefined) {
    checkKeywords(schema, ["type", "format"], where);
    return json.matching(regex);
  }
  checkKeywords(schema, ["type", "format", "minLength", "maxLength"], where);
  const min = countOf(schema, { key: "minLength", where, fallback: 0 });
  const max = countOf(schema, { key: "maxLength", where, fallback: undefined });
  if (max !== undefined && max < min) throw new Impossible(where, `has minLength ${min} above maxLength ${max}`);
  return json.string(min, max);
}

/** undefined for a format that restricts nothing. */
function regexOf(format: unknown, where: string): string | undefined {
  const name = String(format);
  if (UNENFORCEABLE.has(name)) unenforceable(where, `has the format ${name}, which cannot be enforced`);
  const known = Object.hasOwn(WIDER, name) ? WIDER[name] : name;
  return known !== undefined && Object.hasOwn(FORMATS, known) ? FORMATS[known] : undefined;
}
