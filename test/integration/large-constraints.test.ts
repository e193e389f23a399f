import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askConstrained } from "../cluster/ask-constrained.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const BYTES = 50_000;
const PATIENCE_MS = 120_000;
const NAMES = ["river", "stone", "meadow", "harbour", "lantern", "orchard", "thunder", "willow"];

let cluster: RunningCluster;
beforeAll(async () => {
  // Other tests may compute beside this one.
  const env = { RHONE_GRAMMAR_TIMEOUT_MS: "20000", RHONE_GRAMMAR_COMPILE_MS: "20000" };
  cluster = await RunningCluster.start(["--workers", "1", "--threads", "1"], { env });
});
afterAll(() => cluster?.stop());

/** As many parts as it takes to have 50 KB. */
function partsOf<T>(make: (index: number) => T, written: (part: T) => string): T[] {
  const parts: T[] = [];
  for (let bytes = 0; bytes < BYTES; ) {
    const part = make(parts.length);
    parts.push(part);
    bytes += written(part).length;
  }
  return parts;
}

const field = (i: number): object =>
  [{ type: "string" }, { type: "integer" }, { enum: NAMES }, { type: ["boolean", "null"] }][i % 4] ?? {};

/** One of the events of a log: each has fields of its own. */
function event(kind: number): object {
  const names = NAMES.map((name, i) => `${name}_${(kind * 7 + i) % 100}`);
  const properties = {
    kind: { const: `event_${kind}` },
    ...Object.fromEntries(names.map((name, i) => [name, field(i)])),
  };
  return { type: "object", properties, required: ["kind", ...names.slice(0, 4)], additionalProperties: false };
}

test("a schema of 50 KB is enforced", { timeout: PATIENCE_MS }, async () => {
  const schema = { anyOf: partsOf(event, JSON.stringify) };
  const response_format = { type: "json_schema", json_schema: { name: "event", schema } };
  const { status, text, finish } = await askConstrained(cluster, { response_format, max_tokens: 600 });
  expect([status, finish]).toEqual([200, "stop"]);
  expect(new Ajv2020({ strict: false }).validate(schema, JSON.parse(text)), text).toBe(true);
});

test("a grammar of 50 KB is enforced", { timeout: PATIENCE_MS }, async () => {
  const verb = (i: number): string => `${NAMES[i % 8]}-${NAMES[(i >> 3) % 8]}-${i}`;
  const rules = partsOf(
    (i) => `cmd${i} ::= "${verb(i)} " (number | name | "on") (" --${NAMES[i % 8]}=" name)?`,
    (rule) => rule,
  );
  const commands = rules.map((_, i) => `cmd${i}`).join(" | ");
  const guided_grammar = `root ::= ${commands}\nnumber ::= [1-9] [0-9]{0,3}\nname ::= [a-z]{1,9}\n${rules.join("\n")}`;
  const { status, text, finish } = await askConstrained(cluster, { guided_grammar, max_tokens: 200 });
  expect([status, finish]).toEqual([200, "stop"]);
  expect(rules.map((_, i) => verb(i))).toContain(text.split(" ")[0]);
  expect(text).toMatch(/^[a-z0-9-]+ ([1-9][0-9]{0,3}|[a-z]{1,9})( --[a-z]+=[a-z]{1,9})?$/);
});
