import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect } from "vitest";
import { diceOf, randomSchema } from "../../packages/grammar/src/testing/random-schema.js";
import { askConstrained } from "./ask-constrained.js";
import type { RunningCluster } from "./start-cluster.js";

const AT_ONCE = 8;

const ajv = new Ajv2020({ strict: false });
(addFormats as unknown as (target: Ajv2020) => void)(ajv);

export interface SchemaTally {
  readonly satisfied: number;
  /** Refused by the gateway: a random range of numbers may be empty, a random schema too large. */
  readonly refused: number;
  /** Cut short by the end of the context. */
  readonly cut: number;
}

/** Asks for answers to random schemas until `wanted` were not refused. Fails for an answer that does not validate. */
export async function satisfySchemas(
  cluster: RunningCluster,
  wanted: number,
  fields: object = {},
): Promise<SchemaTally> {
  let [seed, refused, cut, satisfied] = [0, 0, 0, 0];
  const next = async (): Promise<void> => {
    while (seed - refused < wanted) {
      const used = ++seed;
      const schema = randomSchema(diceOf(used));
      const format = { type: "json_schema", json_schema: { name: "random", schema, strict: true } };
      const { status, text, finish, param } = await askConstrained(cluster, {
        ...fields,
        response_format: format,
        seed: used,
      });
      if (status === 400 && param === "response_format") {
        refused++;
        continue;
      }
      expect({ used, status, schema: status === 200 ? "" : schema }).toMatchObject({ status: 200 });
      if (finish === "length") {
        cut++;
        continue;
      }
      const isValid = ajv.compile(schema);
      expect(isValid(JSON.parse(text)), JSON.stringify({ used, text, schema })).toBe(true);
      satisfied++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return { satisfied, refused, cut };
}
