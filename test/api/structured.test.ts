import { describe, expect, test } from "vitest";
import { askConstrained, type ConstrainedAnswer } from "../cluster/ask-constrained.js";
import { satisfySchemas } from "../cluster/satisfy-schemas.js";
import { sharedCluster } from "../cluster/shared-cluster.js";

/** structured-random-weights.test.ts asks for these and more, of weights that hardly ever end a text by themselves. */
const SCHEMAS = Number(process.env.RHONE_SCHEMAS ?? 8);

const cluster = await sharedCluster();

describe("constrained answers", () => {
  const ask = (fields: object): Promise<ConstrainedAnswer> => askConstrained(cluster, fields);

  test(`satisfy ${SCHEMAS} random schemas at temperature 1`, { timeout: 600_000 }, async () => {
    const { refused, cut } = await satisfySchemas(cluster, SCHEMAS);
    expect(cut).toBe(0);
    expect(refused).toBeLessThan(SCHEMAS / 4);
  });

  test("end when they are complete, whatever the request says about ends", async () => {
    const { text, finish } = await ask({
      guided_choice: ["yes", "no"],
      ignore_eos: true,
      min_tokens: 20,
      max_tokens: 40,
    });
    expect(["yes", "no"]).toContain(text);
    expect(finish).toBe("stop");
  });

  test.each<[string, object, RegExp]>([
    ["a regular expression", { guided_regex: "[ab]{3}-\\d{2}" }, /^[ab]{3}-\d{2}$/],
    ["EBNF", { grammar: 'root ::= " " word " root"\nword ::= "left" | "right"' }, /^ (left|right) root$/],
    ["a choice", { structured_outputs: { choice: ["größer", "grö"] } }, /^grö(ßer)?$/],
    [
      "json_object",
      { response_format: { type: "json_object", schema: { type: "object", additionalProperties: false } } },
      /^\{\}$/,
    ],
  ])("keep to %s", async (_, fields, expected) => {
    expect((await ask(fields)).text).toMatch(expected);
  });

  test.each<[string, object]>([
    [
      "response_format",
      {
        response_format: { type: "json_schema", json_schema: { schema: { type: "integer", minimum: 2, maximum: 1 } } },
      },
    ],
    ["response_format.type", { response_format: { type: "sound" } }],
    ["guided_regex", { guided_regex: "(" }],
    ["grammar", { grammar: "root ::= root" }],
    ["json_schema", { json_schema: { type: "array", uniqueItems: true } }],
    ["guided_choice", { guided_choice: ["a"], guided_regex: "a" }],
  ])("are refused with the field %s named", async (param, fields) => {
    expect(await ask(fields)).toMatchObject({ status: 400, param });
  });
});
