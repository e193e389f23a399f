import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diceOf, randomSchema } from "../../packages/grammar/src/schema/random-schema.fixture.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const SCHEMAS = 200;
const AT_ONCE = 8;

const ajv = new Ajv2020({ strict: false });
(addFormats as unknown as (target: Ajv2020) => void)(ajv);

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly finish: string | undefined;
  readonly param: string | undefined;
}

describe("constrained answers", () => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await RunningCluster.start(["--workers", "2"]);
  });
  afterAll(() => cluster.stop());

  async function ask(fields: object): Promise<Answer> {
    const messages = [{ role: "user", content: "Answer." }];
    const response = await fetch(`${cluster.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages, temperature: 1, ...fields }),
    });
    const body = (await response.json()) as {
      choices?: { message: { content: string }; finish_reason: string }[];
      param?: string;
    };
    const [choice] = body.choices ?? [];
    return {
      status: response.status,
      text: choice?.message.content ?? "",
      finish: choice?.finish_reason,
      param: body.param,
    };
  }

  test(`satisfy ${SCHEMAS} random schemas at temperature 1`, { timeout: 600_000 }, async () => {
    let seed = 0;
    let satisfied = 0;
    const next = async (): Promise<void> => {
      while (satisfied < SCHEMAS) {
        const schema = randomSchema(diceOf(++seed));
        const used = seed;
        const format = { type: "json_schema", json_schema: { name: "random", schema } };
        const { status, text, finish, param } = await ask({ response_format: format, seed: used });
        // A random range of numbers may be empty, a random schema too long for the context.
        if (status === 400 && param === "response_format") continue;
        expect({ used, status, schema: status === 200 ? "" : schema }).toMatchObject({ status: 200 });
        if (finish === "length") continue;
        const validate = ajv.compile(schema);
        expect(validate(JSON.parse(text)), JSON.stringify({ used, text, schema })).toBe(true);
        satisfied++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    expect(seed - satisfied, "schemas that were passed over").toBeLessThan(SCHEMAS / 4);
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
