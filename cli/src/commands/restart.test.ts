import { expect, test } from "vitest";
import { recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { chosen } from "./restart.js";

const services = ["redis", "coordinator-1", "coordinator-2", "worker-1", "worker-2", "gateway", "gateway"].map(
  (name, index) => ({ name, pid: index + 1, startedAt: "" }),
);

test.each([
  ["all", [], false, ["worker-1", "worker-2", "coordinator-1", "coordinator-2", "redis", "gateway"]],
  ["all but what is in memory", [], true, ["worker-1", "worker-2", "coordinator-1", "coordinator-2", "gateway"]],
  ["these, in the order that disturbs least", ["gateway", "worker-2"], false, ["worker-2", "gateway"]],
  ["what is in memory, if it is named", ["redis"], true, ["redis"]],
])("restarts %s", (_, names, inMemory, expected) => {
  expect(chosen(names, { services, inMemory })).toEqual(expected);
});

test("a name that no process has is refused, with those that there are", () => {
  const message = "No process to restart is called worker; there are worker-1, coordinator-1.";
  const two = services.filter(({ name }) => name.endsWith("r-1"));
  expect(() => chosen(["worker"], { services: two })).toThrow(expect.objectContaining({ code: "NOT_FOUND", message }));
});

test("a member of another machine's cluster is told what to do instead", async () => {
  const { root } = await recordedCluster({ joined: "front:7400" });
  const { error } = await runCommand("restart", "--data-dir", root);
  expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringContaining(" leave --data-dir ") });
});
