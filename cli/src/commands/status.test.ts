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
  expect(stdout).toMatch(new RegExp(`\nprocesses  \\w+ \\(${process.pid}\\)\n*$`));
});

test("every pipeline is shown, by model, and the models that have none", async () => {
  const status = (coordinator: string, name: string) => {
    const { model, ...about } = clusterStatus([workerStatus("a", [0, 8])]);
    return { ...about, coordinator, model: { ...model, name } };
  };
  const { url } = await serve((_, response) => {
    const coordinators = [status("1", "b"), status("2", "a"), status("3", "b")];
    const models = [
      { name: "b", coordinators: 2, ready: 2 },
      { name: "a", coordinators: 1, ready: 1 },
      { name: "c", coordinators: 0, ready: 0 },
    ];
    response.end(JSON.stringify({ coordinators, gateway: { models } }));
  });
  const { stdout } = await runCommand("status", "--url", url);
  const titles = stdout.split("\n").filter((line) => /^[abc] {2}[a-z]/.test(line));
  expect(titles).toEqual(["a  ready", "b  ready", "b  ready", "c  no coordinator has published its status"]);
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
