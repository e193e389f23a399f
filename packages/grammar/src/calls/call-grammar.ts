import { checkEbnf, MAX_EBNF } from "../ebnf/check-ebnf.js";
import { literal, RuleBook } from "../ebnf/rule-book.js";
import { refuseSchema } from "../refusals.js";
import { isObject, type JsonSchema } from "../schema/json-schema.js";
import { schemaRule } from "../schema/json-schema-grammar.js";
import { JsonText } from "../schema/json-text.js";
import type { Waiver } from "../schema/waivers.js";

export interface CallableFunction {
  readonly name: string;
  /** Schema of the arguments object; undefined when the function takes none. */
  readonly parameters: JsonSchema | undefined;
  /** Refuse parameters that can't be enforced, instead of letting what they say through. */
  readonly strict: boolean;
}

export interface CallsShape {
  /** Whether an answer may make several calls, up to MOST_CALLS. */
  readonly parallel: boolean;
  /** Whether a single call is a list too. */
  readonly listed: boolean;
}

/** Most calls in one answer: a model that repeats itself would never end the list. */
export const MOST_CALLS = 16;

const NO_PARAMETERS: JsonSchema = { type: "object", additionalProperties: false };
const ANY_OBJECT: JsonSchema = { type: "object" };

/**
 * Collects functions for a grammar of calls, laid out as Python does:
 *
 *     {"name": "f", "arguments": {"x": 1}}      [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]
 */
export class CallGrammar {
  readonly #book = new RuleBook(MAX_EBNF);
  readonly #json = new JsonText(this.#book, "python");
  readonly #calls: string[] = [];

  /**
   * Returns what is let through of its parameters. `depth`: deepest nesting of parameters that are not strict. Throws
   * INVALID_REQUEST, with the place in the parameters, as jsonSchemaGrammar does.
   */
  add({ name, parameters = NO_PARAMETERS, strict }: CallableFunction, depth?: number): readonly Waiver[] {
    const options = { strict, depth: strict ? undefined : depth };
    const rule = schemaRule(this.#json, objectSchema(parameters), options);
    this.#calls.push(`${literal(`{"name": ${JSON.stringify(name)}, "arguments": `)} ${rule.name} "}"`);
    return rule.waivers;
  }

  /** Throws INVALID_REQUEST when a function's arguments contain themselves without end. */
  text({ parallel, listed }: CallsShape): string {
    const call = this.#book.rule(this.#calls);
    const list = `"[" ${call} ${this.#rest(call, parallel ? MOST_CALLS - 1 : 0)}`;
    const text = this.#book.text(this.#book.rule([...(listed ? [] : [call]), ...(listed || parallel ? [list] : [])]));
    checkEbnf(text);
    return text;
  }

  /** The rest of a list after a call: up to `left` further calls. */
  #rest(call: string, left: number): string {
    if (left === 0) return '"]"';
    return this.#book.rule(['"]"', `${this.#json.comma} ${call} ${this.#rest(call, left - 1)}`]);
  }
}

/** `parameters` restricted to objects. */
function objectSchema(parameters: JsonSchema): JsonSchema {
  if (!isObject(parameters)) return parameters === true ? ANY_OBJECT : parameters;
  if (parameters.type === undefined) return { ...parameters, type: "object" };
  if (parameters.type === "object") return parameters;
  return refuseSchema("#", `is of type ${JSON.stringify(parameters.type)}; a function's parameters must be an object`);
}
