import { expect, onTestFinished, test } from "vitest";
import { needsIpv6 } from "../../packages/common/src/testing/ipv6.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const AT_LOOPBACK = /^\[::1\]:\d+$/;

test("a cluster with IPv6 has all its processes at ::1, prints links that work, and answers", async (context) => {
  needsIpv6(context);
  const cluster = await RunningCluster.start(["--host", "::1", "--workers", "2", "--simulate", "null"]);
  onTestFinished(() => cluster.stop());
  expect(cluster.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  const { operations, workers } = await cluster.status();
  expect(operations).toMatch(AT_LOOPBACK);
  expect(workers.map((worker) => AT_LOOPBACK.test(worker.operations))).toEqual([true, true]);
  const messages = [{ role: "user", content: "Hi" }];
  expect(await cluster.ask("/v1/chat/completions", { messages, max_tokens: 1 })).toMatchObject({
    usage: { completion_tokens: 1 },
  });
  const { stdout } = await rhone(["status", "--data-dir", cluster.dataDir]);
  expect(stdout).toContain(cluster.url);
});
