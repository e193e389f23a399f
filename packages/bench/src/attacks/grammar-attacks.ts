import type { Attack } from "./attack.js";
import { range } from "./range.js";
import type { Outgoing } from "./sender.js";

const COMPLETIONS = "/v1/completions";
const CHAT = "/v1/chat/completions";

const completion = (fields: object): Outgoing => ({
  path: COMPLETIONS,
  body: { prompt: "The", max_tokens: 4, ...fields },
});

const chat = (fields: object): Outgoing => ({
  path: CHAT,
  body: { messages: [{ role: "user", content: "Answer." }], max_tokens: 4, ...fields },
});

/** Alternatives that differ only behind a long common class: their automaton has all their products as states. */
const alternatives = (count: number, most: number, shift = 0): string =>
  `root ::= ${range(count, (i) => `[a-z]{0,${most}} "${String.fromCharCode(65 + ((i + shift) % 26))}${i}"`).join(" | ")}`;

const objectOf = (names: readonly string[], schema: (name: string) => object) => ({
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, schema(name)])),
  required: names,
  additionalProperties: false,
});

const names = (count: number): string[] => range(count, (i) => `field_${i}`);

const tools = (count: number, fields: number) =>
  range(count, (tool) => ({
    type: "function",
    function: {
      name: `tool_${tool}`,
      parameters: objectOf(names(fields), () => ({ type: "string", minLength: 1, maxLength: 500 })),
    },
  }));

const schemaFormat = (schema: object) => ({ type: "json_schema", json_schema: { name: "s", schema } });

/** A schema of 40 definitions in which each refers to the next one twice: 2^40 paths. */
const doublingSchema = {
  $ref: "#/$defs/d0",
  $defs: Object.fromEntries(
    range(40, (i) => [
      `d${i}`,
      i === 39 ? { type: "string", maxLength: 500 } : objectOf(["a", "b"], () => ({ $ref: `#/$defs/d${i + 1}` })),
    ]),
  ),
};

const nested = (levels: number): object =>
  range(levels, () => 0).reduce<object>((inner) => objectOf(["x"], () => inner), { type: "string" });

/** Constraints that are short to write and long to compile, or long in themselves. */
export const GRAMMAR_ATTACKS: readonly Attack[] = [
  {
    name: "grammar-alternatives",
    description: "EBNF of 32 alternatives, each a class of up to 500 repetitions and an ending of its own",
    isQuick: true,
    send: async (sender) => [await sender.send(completion({ guided_grammar: alternatives(32, 500) }))],
  },
  {
    name: "grammar-alternatives-8",
    description: "eight different ones of these at once",
    send: (sender) => sender.repeat(8, (i) => completion({ guided_grammar: alternatives(32, 500 - i, i) })),
  },
  {
    name: "grammar-nested-repetition",
    description: "EBNF with repetitions of repetitions of repetitions",
    send: (sender) =>
      sender.repeat(4, (i) => completion({ guided_grammar: `root ::= ((([a-z]{1,40}){1,40}){1,40}){1,${40 + i}}` })),
  },
  {
    name: "tools-600-strings",
    description: "60 tools of 10 bounded strings each, one of which must be called",
    isQuick: true,
    send: async (sender) => [await sender.send(chat({ tools: tools(60, 10), tool_choice: "required" }))],
  },
  {
    name: "schema-3000-properties",
    description: "JSON schema of 3,000 required properties",
    send: async (sender) => [
      await sender.send(chat({ response_format: schemaFormat(objectOf(names(3000), () => ({ type: "string" }))) })),
    ],
  },
  {
    name: "schema-bounded-strings",
    description: "JSON schema of 200 strings of 1 to 512 characters each",
    send: async (sender) => [
      await sender.send(
        chat({
          response_format: schemaFormat(objectOf(names(200), () => ({ type: "string", minLength: 1, maxLength: 512 }))),
        }),
      ),
    ],
  },
  {
    name: "schema-doubling",
    description: "JSON schema of 40 definitions, each of which refers to the next one twice",
    send: async (sender) => [await sender.send(chat({ response_format: schemaFormat(doublingSchema) }))],
  },
  {
    name: "schema-nested-240",
    description: "JSON schema of objects in objects, 240 deep",
    send: async (sender) => [await sender.send(chat({ response_format: schemaFormat(nested(240)) }))],
  },
  {
    name: "schema-lenient-3000",
    description: "JSON schema of 3,000 properties with long names, none of whose keywords can be held to",
    send: async (sender) => {
      const lenient = { not: { const: 1 }, contentMediaType: "x", format: "x", dependentRequired: { a: ["b"] } };
      const properties = Object.fromEntries(range(3000, (i) => [`${"n".repeat(100)}${i}`, lenient]));
      return [await sender.send(chat({ response_format: schemaFormat({ type: "object", properties }) }))];
    },
  },
  {
    name: "schema-references",
    description:
      "JSON schemas of 3,000 definitions, each of which refers to the next one, the last to none or the first",
    send: async (sender) => {
      const references = (last: object) => ({
        $ref: "#/$defs/d0",
        $defs: Object.fromEntries(range(3000, (i) => [`d${i}`, i === 2999 ? last : { $ref: `#/$defs/d${i + 1}` }])),
      });
      return [
        await sender.send(chat({ response_format: schemaFormat(references({ type: "string" })) })),
        await sender.send(chat({ response_format: schemaFormat(references({ $ref: "#/$defs/d0" })) })),
      ];
    },
  },
  {
    name: "enum-100000",
    description: "JSON schema with an enum of 100,000 texts",
    isQuick: true,
    send: async (sender) => [
      await sender.send(chat({ response_format: schemaFormat({ enum: range(100_000, (i) => `value number ${i}`) }) })),
    ],
  },
  {
    name: "choice-4096",
    description: "a choice of 4,096 texts of 1 KB",
    send: async (sender) => [
      await sender.send(completion({ guided_choice: range(4096, (i) => `${i}`.padStart(1000, "x")) })),
    ],
  },
  {
    name: "pattern-nested-quantifiers",
    description: "JSON schema whose pattern nests bounded quantifiers",
    send: async (sender) => [
      await sender.send(
        chat({
          response_format: schemaFormat(
            objectOf(["p"], () => ({ type: "string", pattern: "^((([a-z0-9]{1,50} ?){1,50},?){1,50};?){1,50}$" })),
          ),
        }),
      ),
    ],
  },
  {
    name: "regex-nested-counts",
    description: "regular expressions that repeat what is repeated, up to 512 times each, four at once",
    isQuick: true,
    send: (sender) => sender.repeat(4, (i) => completion({ guided_regex: `([a-z]{1,512}){1,${512 - i}}` })),
  },
  {
    name: "regex-ambiguous",
    description: "regular expressions that are ambiguous everywhere, six at once",
    send: (sender) =>
      sender.repeat(6, (i) => completion({ guided_regex: `${"(a|a?b?)".repeat(200)}{1,${100 + i}}(a+)+(.*a){20}` })),
  },
  {
    name: "grammar-1mb",
    description: "EBNF of 1 MB: 20,000 rules",
    send: async (sender) => [
      await sender.send(
        completion({
          guided_grammar: `root ::= r0\n${range(20_000, (i) => `r${i} ::= "a" | [0-9]{1,9} r${(i + 1) % 20_000}`).join("\n")}`,
        }),
      ),
    ],
  },
];
