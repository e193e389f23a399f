import { createHash } from "node:crypto";
import {
  cancelledKey,
  idempotentKey,
  openRedis,
  queueName,
  REDIS_PREFIX,
  streamKey,
  TOKEN_LOG_FIELD,
  tokenLogKey,
} from "@rhone/common";
import type { LocalCluster } from "./local-cluster.js";

/** What a client knows of a request that hangs. */
export interface HungRequest {
  /** Its Idempotency-Key. */
  readonly key: string;
  /** "cmpl-…"; null when no answer had named it. */
  readonly stream: string | null;
  /** The x-request-id of its last answer; null without one. */
  readonly httpRequest: string | null;
  readonly model: string;
}

/** What the cluster has of it at this moment, by which to find the cause. Never rejects. */
export async function evidenceOf(cluster: LocalCluster, asked: HungRequest): Promise<string> {
  const about = `key ${asked.key}, stream ${asked.stream ?? "unknown"}, request ${asked.httpRequest ?? "unknown"}`;
  const [kept, status] = await Promise.all([
    keptOf(cluster, asked).catch((error: unknown) => `Redis did not answer (${(error as Error).message})`),
    statusOf(cluster).catch((error: unknown) => `no status (${(error as Error).message})`),
  ]);
  return `${about}; ${kept}; ${status}`;
}

async function keptOf({ redisUrl }: LocalCluster, { key, stream, model }: HungRequest): Promise<string> {
  if (redisUrl === null) return "its Redis is not known";
  const redis = await openRedis({ url: redisUrl, name: "rhone-bench", waits: false, onError: () => {} });
  try {
    const record = idempotentKey(createHash("sha256").update(`\n${key}`).digest("hex"));
    const text = await redis.get(record);
    const id = stream ?? /"requestId":"(.*?)-0"/.exec(text ?? "")?.[1] ?? null;
    const claim = text === null ? "no record of the key" : `a record of the key for ${await redis.ttl(record)} s`;
    if (id === null) return claim;
    const job = `${REDIS_PREFIX}:${queueName({ model, lane: "interactive" })}:${id}-0`;
    const log = tokenLogKey(`${id}-0`);
    const [isQueued, isTaken, isCancelled, isKept, events, [last]] = await Promise.all([
      redis.exists(job),
      redis.exists(`${job}:lock`),
      redis.exists(cancelledKey(`${id}-0`)),
      redis.exists(streamKey(id)),
      redis.xlen(log),
      redis.xrevrange(log, "+", "-", "COUNT", 1),
    ]);
    const fields = last?.[1] ?? [];
    const hasEnd = (fields[fields.indexOf(TOKEN_LOG_FIELD) + 1] ?? "").includes('"finish":');
    return [
      claim,
      isKept === 1 ? "a record of the stream" : "no record of the stream",
      isQueued === 0 ? "no job" : `a job that ${isTaken === 1 ? "a coordinator has" : "waits"}`,
      `${events} events in the log, ${hasEnd ? "the last one ends it" : "without an end"}`,
      ...(isCancelled === 1 ? ["cancelled"] : []),
    ].join(", ");
  } finally {
    redis.disconnect();
  }
}

async function statusOf(cluster: LocalCluster): Promise<string> {
  const all = await cluster.status();
  const each = all.map(
    ({ coordinator, state, sequences: { running, waiting } }) =>
      `coordinator ${coordinator} is ${state}, ${running} sequences run and ${waiting} wait`,
  );
  return each.join(", ") || "no coordinator";
}
