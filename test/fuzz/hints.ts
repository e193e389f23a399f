import fc from "fast-check";
import { diceOf, randomSchema } from "../../packages/grammar/src/testing/random-schema.js";
import type { Hints } from "./schema-arbitrary.js";

/** Marks the place of an id; replaced by an id from an earlier answer when the request is sent. */
export const ID_MARKS = { file: "@file", batch: "@batch", stream: "@stream", response: "@response" } as const;

const VOCABULARY = 1024;

const tokenId = fc.nat(VOCABULARY - 1);
const few = fc.integer({ min: 1, max: 6 });
const model = fc.constantFrom("breeze", null);
const schema = fc.oneof(
  fc.nat(100_000).map((seed) => randomSchema(diceOf(seed))),
  fc.constantFrom({ type: "object" }, { $ref: "#" }, { type: "array", uniqueItems: true }, { enum: [] }, true, false),
  fc.constantFrom({ $ref: "#/%zz" }, { $ref: "#/$defs/a", $defs: { a: { $ref: "#" } } }, { pattern: "(" }),
);
const expression = fc.constantFrom(
  "[ab]{2}",
  "\\d+",
  "(",
  "(a+)+$",
  "[^\\x00-\\uffff]",
  "a{600}",
  "\\bx",
  "(?=a)a",
  "🙂|é",
);
const grammar = fc.constantFrom(
  'root ::= "a" | "b"',
  "root ::= root",
  "root ::= [a-z]{1,4}\n# done",
  "root ::= (",
  'root ::= "\\ud800"',
  "root ::= [^a]",
  'root ::= "a" (?= "b") "b"',
  `root ::= ${"(".repeat(150)}"a"${")".repeat(150)}`,
  'root ::= "\\x"',
  "x ::= y",
);

const choices = fc.oneof(
  fc.array(fc.string({ maxLength: 6 }), { minLength: 1, maxLength: 4 }),
  fc.constantFrom(["\ud800"], ["", "a"], ["a", "ab"], [""]),
);

const structured: Hints = {
  schema,
  guided_json: schema,
  json_schema: fc.oneof(
    schema,
    schema.map((inner) => ({ name: "a", schema: inner })),
  ),
  response_format: schema.map((inner) => ({ type: "json_schema", json_schema: { name: "a", schema: inner } })),
  json: fc.oneof(
    schema,
    schema.map((inner) => JSON.stringify(inner)),
  ),
  regex: expression,
  guided_regex: expression,
  grammar,
  guided_grammar: grammar,
  choice: choices,
  guided_choice: choices,
};

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: "binary", maxLength: 20 }));
const prompt = fc.oneof(
  { weight: 3, arbitrary: text },
  { weight: 1, arbitrary: fc.array(text, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(tokenId, { minLength: 1, maxLength: 30 }) },
  { weight: 1, arbitrary: fc.array(fc.array(tokenId, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 }) },
);

const content = fc.oneof(
  text,
  fc.array(fc.record({ type: fc.constant("text"), text }), { maxLength: 2 }),
  fc.constant(null),
);
const turn = fc.record(
  {
    role: fc.constantFrom("system", "user", "assistant", "tool", "developer"),
    content,
    prefix: fc.boolean(),
    name: text,
    tool_call_id: text,
  },
  { requiredKeys: ["role", "content"] },
);
const messages = fc.oneof(
  text.map((said) => [{ role: "user", content: said }]),
  fc.tuple(text, text, text).map(([first, answer, second]) => [
    { role: "user", content: first },
    { role: "assistant", content: answer },
    { role: "user", content: second },
  ]),
  fc.array(turn, { minLength: 1, maxLength: 4 }),
);

const batchLine = fc.record({
  custom_id: fc.string({ minLength: 1, maxLength: 8 }),
  body: fc.record({ prompt: fc.string({ maxLength: 8 }), max_tokens: fc.integer({ min: 0, max: 3 }) }),
});

/** For fields whose values must fit the served model or each other, or decide how long a request takes. */
export const HINTS: Hints = {
  ...structured,
  model,
  prompt,
  messages,
  max_tokens: few,
  max_completion_tokens: few,
  max_output_tokens: few,
  previous_response_id: fc.constant(ID_MARKS.response),
  min_tokens: fc.nat(2),
  n: fc.integer({ min: 1, max: 3 }),
  best_of: fc.integer({ min: 1, max: 4 }),
  logit_bias: fc.dictionary(tokenId.map(String), fc.double({ min: -100, max: 100, noNaN: true }), { maxKeys: 4 }),
  tokens: fc.array(tokenId, { maxLength: 8 }),
  input_file_id: fc.constant(ID_MARKS.file),
  input_files: fc.constant([ID_MARKS.file]),
  requests: fc.array(batchLine, { minLength: 1, maxLength: 3 }),
  completion_window: fc.constantFrom("24h", "90m", "1m", "0h"),
  endpoint: fc.constantFrom("/v1/completions", "/v1/chat/completions"),
};
