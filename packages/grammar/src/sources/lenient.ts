import { RhoneError } from "@rhone/common/rhone-error";
import { TooLarge } from "../refusals.js";
import type { JsonSchema } from "../schema/json-schema.js";
import { MAX_DEPTH } from "../schema/json-schema-grammar.js";
import { freed } from "../schema/types.js";
import {
  fewWarnings,
  type GrammarSource,
  type GrammarWarning,
  type WrittenGrammar,
  writeGrammar,
} from "./grammar-source.js";

/**
 * Deepest nesting of schemas that are not strict, by level: 0 is all that can be enforced, and beyond the last are
 * their types alone. A level is tried where the one before it costs too much, and takes as long as that may.
 */
const DEPTHS = [MAX_DEPTH, 2, 1];
export const LAST_LEVEL = DEPTHS.length;

/** Whether a source has schemas that may be let through. */
export function isLenient(source: GrammarSource): boolean {
  switch (source.kind) {
    case "schema":
      return !source.strict;
    case "calls":
      return source.functions.some(({ strict, parameters }) => !strict && parameters !== undefined);
    case "either":
      return source.sources.some(isLenient);
    default:
      return false;
  }
}

/** The grammar of a source, at the first level from `level` on whose text is not too large. Throws as writeGrammar. */
export function writeLenient(source: GrammarSource, level = 0): WrittenGrammar {
  try {
    if (level < DEPTHS.length) return writeGrammar(source, DEPTHS[level]);
    const { source: left, warnings } = letThrough(source, "is too costly to be enforced");
    return { ...writeGrammar(left), warnings };
  } catch (error) {
    if (!isTooLarge(error) || !isLenient(source) || level >= LAST_LEVEL) throw error;
    return writeLenient(source, level + 1);
  }
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof TooLarge || (error instanceof RhoneError && error.cause instanceof TooLarge);

/** The source with nothing but the types of the schemas that are not strict, and why. */
export function letThrough(
  source: GrammarSource,
  reason: string,
): { readonly source: GrammarSource; readonly warnings: readonly GrammarWarning[] } {
  const warnings: GrammarWarning[] = [];
  const free = (param: string, schema: JsonSchema): JsonSchema => {
    warnings.push({ param, path: "#", reason });
    return freed(schema);
  };
  const through = (each: GrammarSource): GrammarSource => {
    switch (each.kind) {
      case "schema":
        return each.strict ? each : { ...each, schema: free(each.param, each.schema) };
      case "calls": {
        const functions = each.functions.map((one) =>
          one.strict || one.parameters === undefined ? one : { ...one, parameters: free(one.param, one.parameters) },
        );
        return { ...each, functions };
      }
      case "either":
        return { ...each, sources: each.sources.map(through) };
      default:
        return each;
    }
  };
  const left = through(source);
  return { source: left, warnings: fewWarnings(warnings) };
}
