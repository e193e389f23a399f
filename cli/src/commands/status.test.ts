import { expect, test } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";

test("two looks at the cluster give its rates", async () => {
  let looks = 0;
  const { url } = await serve((_, response) => {
    const generated = 100 * looks;
    const status = { ...clusterStatus([workerStatus("a", [0, 8])]), updatedAtMs: 2000 * looks++ };
    response.end(JSON.stringify({ coordinators: [{ ...status, tokens: { ...status.tokens, generated } }] }));
  });
  const { root } = await recordedCluster({ url });
  const { stdout, error } = await runCommand("status", "--data-dir", root);
  expect(error).toBeUndefined();
  expect(stdout).toContain(`${url}\n\nm8  ready\n`);
  expect(stdout).toContain("100 generated (50.0/s)");
});

test("--json is the gateway's answer", async () => {
  const { url } = await serve((_, response) => response.end('{"coordinators":[],"more":1}'));
  const { stdout } = await runCommand("status", "--json", "--url", url);
  expect(JSON.parse(stdout)).toEqual({ coordinators: [], more: 1 });
});

test("a gateway without coordinators says so", async () => {
  const { url } = await serve((_, response) => response.end('{"coordinators":[]}'));
  expect((await runCommand("status", "--url", url)).stdout).toContain("No coordinator has published its status yet.");
});

test("without a cluster it fails", async () => {
  const { root } = await freshDataDir();
  expect((await runCommand("status", "--data-dir", root)).error).toMatchObject({ code: "NOT_RUNNING" });
});
