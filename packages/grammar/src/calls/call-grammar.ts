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
  /** Several calls may be made at once. */
  readonly parallel: boolean;
  /** One call is a list too. */
  readonly listed: boolean;
}

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
    const { comma } = this.#json;
    const call = this.#book.rule(this.#calls);
    const rest = this.#book.reserve();
    this.#book.define(rest, ['"]"', ...(parallel ? [`${comma} ${call} ${rest}`] : [])]);
    const list = `"[" ${call} ${rest}`;
    const text = this.#book.text(this.#book.rule([...(listed ? [] : [call]), ...(listed || parallel ? [list] : [])]));
    checkEbnf(text);
    return text;
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
