import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ClusterStatus } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";
import { findWorker } from "./drain.js";

const CLUSTERS: readonly ClusterStatus[] = [
  { ...clusterStatus([workerStatus("attic", [0, 4]), workerStatus("attic-2", [4, 8])]), coordinator: "c1" },
  { ...clusterStatus([workerStatus("cellar", [0, 8])]), coordinator: "c2" },
];

test.each([
  ["attic", "attic", "c1"],
  ["attic-", "attic-2", "c1"],
  ["c", "cellar", "c2"],
])("%s is worker %s of coordinator %s", (name, worker, coordinator) => {
  expect(findWorker(name, CLUSTERS)).toMatchObject({ worker, coordinator: { coordinator } });
});

test.each([
  ["at", "INVALID_CONFIG", "Several workers are meant by at: attic, attic-2. Give the whole name."],
  ["roof", "NOT_FOUND", "No worker is called roof; there are attic, attic-2, cellar."],
])("%s is no worker", (name, code, message) => {
  expect(() => findWorker(name, CLUSTERS)).toThrow(expect.objectContaining({ code, message }));
});

/** A cluster whose coordinator answers POST with `code` and `body`, and drains the worker with 200. */
async function scene(code: number, body: object) {
  const asked: string[] = [];
  const isDrained = () => code === 200 && asked.length > 0;
  const operations = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(code).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => operations.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void operations.close());
  const { url } = await serve((_, response) => {
    const attic = isDrained() ? workerStatus("attic", null, { going: "drained" }) : workerStatus("attic", [0, 4]);
    const workers = [attic, workerStatus("cellar", isDrained() ? [0, 8] : [4, 8])];
    const at = `127.0.0.1:${(operations.address() as AddressInfo).port}`;
    response.end(JSON.stringify({ coordinators: [{ ...clusterStatus(workers), operations: at }] }));
  });
  return { asked, dataDir: await recordedCluster({ url }) };
}

test("a worker is drained by its coordinator, and the others are told of", async () => {
  const { asked, dataDir } = await scene(200, {});
  const { stdout, error } = await runCommand("drain", "att", "--data-dir", dataDir.root);
  expect(error).toBeUndefined();
  expect(asked).toEqual(["POST /drain?worker=attic"]);
  expect(stdout).toBe("drained attic: cellar has layers 0-7 of m8. It can be stopped now.\n");
});

test("a worker that is drained already is no failure", async () => {
  const { dataDir } = await scene(200, {});
  const drain = () => runCommand("drain", "attic", "--data-dir", dataDir.root);
  await drain();
  const { stdout, error } = await drain();
  expect(error).toBeUndefined();
  expect(stdout).toBe("attic was drained already: cellar has layers 0-7 of m8. It can be stopped now.\n");
});

test("--json has every worker's place", async () => {
  const { dataDir } = await scene(200, {});
  const { stdout } = await runCommand("drain", "attic", "--json", "--data-dir", dataDir.root);
  const workers = [
    { worker: "attic", layers: null, state: "drained" },
    { worker: "cellar", layers: [0, 8] },
  ];
  expect(JSON.parse(stdout)).toEqual({ worker: "attic", state: "drained", workers });
});

test("what the coordinator says is in the way is told", async () => {
  const said = { code: "NO_PIPELINE", message: "The pipeline needs 2 workers." };
  const { dataDir } = await scene(503, { error: said });
  expect((await runCommand("drain", "attic", "--data-dir", dataDir.root)).error).toMatchObject(said);
});

test("on a machine that has joined it names the command for that machine", async () => {
  const { root } = await recordedCluster({ joined: "10.0.0.1:7100" });
  const { error } = await runCommand("drain", "attic", "--data-dir", root);
  expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringMatching(/10\.0\.0\.1:7100.* leave/) });
});

test("without a cluster it fails", async () => {
  const { root } = await freshDataDir();
  expect((await runCommand("drain", "a", "--data-dir", root)).error).toMatchObject({ code: "NOT_RUNNING" });
});
