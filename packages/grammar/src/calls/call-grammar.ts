import { checkEbnf, MAX_EBNF } from "../ebnf/check-ebnf.js";
import { literal } from "../ebnf/notation.js";
import { RuleBook } from "../ebnf/rule-book.js";
import { refuseSchema, Unenforceable } from "../schema/impossible.js";
import { isObject, type JsonSchema } from "../schema/json-schema.js";
import { schemaRule } from "../schema/json-schema-grammar.js";
import { JsonText } from "../schema/json-text.js";

export interface CallableFunction {
  readonly name: string;
  /** Of the arguments, which are an object; undefined: there are none. */
  readonly parameters: JsonSchema | undefined;
  /** Refuse parameters that cannot be enforced, instead of taking any object. */
  readonly strict: boolean;
}

export interface CallsShape {
  /** Several calls may be made at once, up to MOST_CALLS. */
  readonly parallel: boolean;
  /** One call is a list too. */
  readonly listed: boolean;
}

/** Calls in one answer: a model that repeats itself would go on with a list for ever. */
export const MOST_CALLS = 16;

const NO_PARAMETERS: JsonSchema = { type: "object", additionalProperties: false };
const ANY_OBJECT: JsonSchema = { type: "object" };
/** Keywords that say of which type a value is. */
const TYPING = ["type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"];

/**
 * Collects functions for a grammar of calls, laid out as Python does:
 *
 *     {"name": "f", "arguments": {"x": 1}}      [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]
 */
export class CallGrammar {
  readonly #book = new RuleBook(MAX_EBNF);
  readonly #json = new JsonText(this.#book, "python");
  readonly #calls: string[] = [];

  /** Throws INVALID_REQUEST, with the place in the parameters, as jsonSchemaGrammar does. */
  add({ name, parameters = NO_PARAMETERS, strict }: CallableFunction): void {
    const schema = objectSchema(parameters);
    const rule = schemaRule(this.#json, strict || isEnforceable(schema) ? schema : ANY_OBJECT);
    this.#calls.push(`${literal(`{"name": ${JSON.stringify(name)}, "arguments": `)} ${rule} "}"`);
  }

  /** Throws INVALID_REQUEST when a function's arguments contain themselves without end. */
  text({ parallel, listed }: CallsShape): string {
    const call = this.#book.rule(this.#calls);
    const list = `"[" ${call} ${this.#rest(call, parallel ? MOST_CALLS - 1 : 0)}`;
    const text = this.#book.text(this.#book.rule([...(listed ? [] : [call]), ...(listed || parallel ? [list] : [])]));
    checkEbnf(text);
    return text;
  }

  /** What follows a call in a list: up to `left` more. */
  #rest(call: string, left: number): string {
    if (left === 0) return '"]"';
    return this.#book.rule(['"]"', `${this.#json.comma} ${call} ${this.#rest(call, left - 1)}`]);
  }
}

/** The schema of the objects among what `parameters` allows. */
function objectSchema(parameters: JsonSchema): JsonSchema {
  if (!isObject(parameters)) return parameters === true ? ANY_OBJECT : parameters;
  if (!TYPING.some((key) => Object.hasOwn(parameters, key))) return { ...parameters, type: "object" };
  if (parameters.type === undefined || parameters.type === "object") return parameters;
  return refuseSchema("#", `is of type ${JSON.stringify(parameters.type)}; a function's parameters are an object`);
}

function isEnforceable(parameters: JsonSchema): boolean {
  try {
    schemaRule(new JsonText(new RuleBook(MAX_EBNF), "python"), parameters);
    return true;
  } catch (error) {
    if (error instanceof Unenforceable) return false;
    throw error;
  }
}
