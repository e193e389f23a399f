import { regexGrammar } from "../regex/regex-grammar.js";
import { FORMATS } from "./formats.js";
import { Impossible, refuseSchema, unenforceable } from "./impossible.js";
import type { JsonText } from "./json-text.js";
import { checkKeywords, countOf } from "./keywords.js";

type Keywords = Readonly<Record<string, unknown>>;

/** The strings of a schema. A pattern is matched from beginning to end, which is narrower than JSON Schema's search. */
export function stringGrammar(json: JsonText, schema: Keywords, where: string): string {
  const { pattern, format } = schema;
  if (pattern !== undefined) {
    checkKeywords(schema, ["type", "pattern"], where);
    return matching(
      json,
      typeof pattern === "string" ? pattern : refuseSchema(where, "has a pattern that is not a text"),
    );
  }
  if (format !== undefined) {
    checkKeywords(schema, ["type", "format"], where);
    const known = typeof format === "string" && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
    return matching(json, known ?? unenforceable(where, `has the format ${String(format)}, which cannot be enforced`));
  }
  checkKeywords(schema, ["type", "minLength", "maxLength"], where);
  const min = countOf(schema, { key: "minLength", where, fallback: 0 });
  const max = countOf(schema, { key: "maxLength", where, fallback: undefined });
  if (max !== undefined && max < min) throw new Impossible(where, `has minLength ${min} above maxLength ${max}`);
  return json.string(min, max);
}

function matching(json: JsonText, regex: string): string {
  const { book } = json;
  return `"\\"" ${book.reference(regexGrammar({ book, writing: "json" }, regex, '"\\""'))}`;
}
