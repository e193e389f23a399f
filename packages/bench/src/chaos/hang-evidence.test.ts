import { createHash } from "node:crypto";
import {
  encodeEvent,
  idempotentKey,
  openRedis,
  queueName,
  REDIS_PREFIX,
  TOKEN_LOG_FIELD,
  tokenLogKey,
} from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { startValkey } from "../../../../packages/common/src/testing/valkey.js";
import { evidenceOf } from "./hang-evidence.js";
import type { LocalCluster } from "./local-cluster.js";

const asked = { key: "k1", stream: null, httpRequest: "r1", model: "tiny" };
const record = idempotentKey(createHash("sha256").update("\nk1").digest("hex"));

async function clusterWithRedis() {
  const valkey = await startValkey();
  onTestFinished(() => valkey.stop());
  const redis = await openRedis({ url: valkey.url, name: "test", waits: true, onError: () => {} });
  onTestFinished(() => redis.disconnect());
  const sequences = { running: 2, waiting: 1 };
  const status = async () => [{ coordinator: "c1", state: "ready", sequences }];
  return { redis, cluster: { redisUrl: valkey.url, status } as unknown as LocalCluster };
}

test("of a request that hangs it is told what the cluster has of it", async () => {
  const { redis, cluster } = await clusterWithRedis();
  const about = "key k1, stream unknown, request r1; ";
  const status = "; coordinator c1 is ready, 2 sequences run and 1 wait";
  expect(await evidenceOf(cluster, asked)).toBe(`${about}no record of the key${status}`);

  await redis.set(record, '{"generation":{"record":{"jobs":[{"requestId":"cmpl-1-0"}]}}}', "EX", 500);
  expect(await evidenceOf(cluster, asked)).toMatch(
    /a record of the key for (500|499) s, no record of the stream, no job, 0 events in the log, without an end;/,
  );

  const job = `${REDIS_PREFIX}:${queueName({ model: "tiny", lane: "interactive" })}:cmpl-1-0`;
  await redis.hset(job, "data", "{}");
  const event = { requestId: "cmpl-1-0", ordinal: 0, tokens: [1], text: "a" };
  await redis.xadd(tokenLogKey("cmpl-1-0"), "*", TOKEN_LOG_FIELD, encodeEvent(event));
  expect(await evidenceOf(cluster, asked)).toContain("a job that waits, 1 events in the log, without an end;");

  await redis.set(`${job}:lock`, "c1");
  const finish = { ...event, ordinal: 1, finish: { reason: "length" as const } };
  const usage = { promptTokens: 1, completionTokens: 1, cachedTokens: 0 };
  await redis.xadd(tokenLogKey("cmpl-1-0"), "*", TOKEN_LOG_FIELD, encodeEvent({ ...finish, usage }));
  expect(await evidenceOf(cluster, { ...asked, stream: "cmpl-1" })).toContain(
    "a job that a coordinator has, 2 events in the log, the last one ends it;",
  );
});

test("a cluster that is down leaves what the client knows", async () => {
  const status = () => Promise.reject(new Error("no gateway answers"));
  const cluster = { redisUrl: null, status } as unknown as LocalCluster;
  const told = "key k1, stream unknown, request r1; its Redis is not known; no status (no gateway answers)";
  expect(await evidenceOf(cluster, asked)).toBe(told);
});
