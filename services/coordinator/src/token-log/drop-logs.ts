import { encodeEvent, FINISHED_LOG_TTL_S, TOKEN_LOG_FIELD, tokenLogEntryId, tokenLogKey } from "@rhone/common";
import type { Redis } from "ioredis";
import type { FinishedLog } from "./finished-logs.js";

const MESSAGE =
  "The answer is no longer kept: the logs of finished requests take more than --finished-log-bytes. " +
  "Send the request again under a new id or key.";

/** Drops the logs of finished requests. */
export async function dropLogs(redis: Redis, logs: readonly FinishedLog[]): Promise<void> {
  const commands = redis.multi();
  for (const { requestId, lane } of logs) {
    const key = tokenLogKey(requestId);
    commands.unlink(key);
    // A line of a batch is computed again; who reads a stream or an answer again must hear that it is gone.
    if (lane === "batch") continue;
    commands.xadd(key, tokenLogEntryId(0), TOKEN_LOG_FIELD, goneEvent(requestId));
    commands.expire(key, FINISHED_LOG_TTL_S);
  }
  await commands.exec();
}

const goneEvent = (requestId: string): string =>
  encodeEvent({
    requestId,
    ordinal: 0,
    tokens: [],
    text: "",
    finish: { reason: "error", code: "NOT_FOUND", message: MESSAGE },
  });
