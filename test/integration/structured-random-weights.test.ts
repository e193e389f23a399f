import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { synthesize } from "@rhone/model";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askConstrained } from "../cluster/ask-constrained.js";
import { satisfySchemas } from "../cluster/satisfy-schemas.js";
import { RunningCluster } from "../cluster/start-cluster.js";

/** Random schemas for the model of 512 tokens. The one of 32,000, whose masks take most of the time, gets a quarter. */
const SCHEMAS = Number(process.env.RHONE_SCHEMAS ?? 20);
const SEEDS = 2;
const ajv = new Ajv2020({ strict: false });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rhone-system-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function startRandom(preset: string): Promise<RunningCluster> {
  const model = join(folder, `${preset}.gguf`);
  await synthesize({ preset, type: "q4_0", seed: 0, out: model });
  return RunningCluster.start(["--workers", "1", "--threads", "1", "--model", model]);
}

/** Schemas that do not make a text end; random weights hardly ever end one by themselves. */
const OPEN: Readonly<Record<string, object>> = {
  "a string": { type: "string" },
  "strings of an array": { type: "array", items: { type: "string" } },
  "any object": { type: "object" },
  "a number": { type: "number" },
  "several fields": {
    type: "object",
    properties: {
      name: { type: "string" },
      tags: { type: "array", items: { type: "string" } },
      size: { type: "integer" },
      more: {},
    },
    required: ["name", "tags", "size", "more"],
    additionalProperties: false,
  },
  "a tree": {
    $defs: {
      node: {
        type: "object",
        properties: { says: { type: "string" }, below: { type: "array", items: { $ref: "#/$defs/node" } } },
        required: ["says", "below"],
        additionalProperties: false,
      },
    },
    $ref: "#/$defs/node",
  },
};

describe("a model of random weights", () => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await startRandom("tiny");
  });
  afterAll(() => cluster?.stop());

  test(`satisfies ${SCHEMAS} of ${SCHEMAS} random schemas`, { timeout: 600_000 }, async () => {
    const tally = await satisfySchemas(cluster, SCHEMAS);
    process.stdout.write(`tiny ${JSON.stringify(tally)}\n`);
    expect(tally).toMatchObject({ satisfied: SCHEMAS, cut: 0 });
  });
});

describe("a model of random weights over 32,000 tokens", () => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await startRandom("tiny-32k");
  });
  afterAll(() => cluster?.stop());

  test("satisfies random schemas", { timeout: 600_000 }, async () => {
    const tally = await satisfySchemas(cluster, SCHEMAS / 4);
    process.stdout.write(`tiny-32k ${JSON.stringify(tally)}\n`);
    expect(tally).toMatchObject({ cut: 0 });
  });

  test.each(Object.entries(OPEN))("ends %s within any number of tokens that is enough", async (_, schema) => {
    const isValid = ajv.compile(schema);
    for (const max_tokens of [60, 200]) {
      const format = { type: "json_schema", json_schema: { name: "open", schema } };
      const seeds = Array.from({ length: SEEDS }, (_, seed) => seed);
      const asked = seeds.map((seed) => askConstrained(cluster, { response_format: format, max_tokens, seed }));
      for (const { text, finish } of await Promise.all(asked)) {
        expect(finish, `${max_tokens}: ${text}`).toBe("stop");
        expect(isValid(JSON.parse(text)), text).toBe(true);
      }
    }
  });
});
