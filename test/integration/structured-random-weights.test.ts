import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { satisfySchemas } from "../cluster/satisfy-schemas.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const SCHEMAS = 200;

let folder: string;
let cluster: RunningCluster;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rhone-system-"));
  const model = join(folder, "random.gguf");
  const { code, stderr } = await rhone(["model", "synth", "--preset", "tiny-32k", "--out", model]);
  if (code !== 0) throw new Error(stderr);
  cluster = await RunningCluster.start(["--workers", "2", "--model", model]);
});
afterAll(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test(`${SCHEMAS} of ${SCHEMAS} random schemas are satisfied by random weights over 32,000 tokens`, {
  timeout: 600_000,
}, async () => {
  const tally = await satisfySchemas(cluster, SCHEMAS);
  process.stdout.write(`${JSON.stringify(tally)}\n`);
  expect(tally).toMatchObject({ satisfied: SCHEMAS, cut: 0 });
});
