import type { Logger } from "@rhone/common";
import type { FastifyReply } from "fastify";
import type { StoredGeneration } from "../admission/idempotency-records.js";
import { streamLines } from "../answers/stream-lines.js";
import { replayOrder, type StreamPosition } from "../answers/stream-position.js";
import type { StreamRecord } from "../answers/stream-records.js";
import { openWriter } from "../answers/writer-record.js";
import type { Metrics } from "../metrics.js";
import type { GenerationClient } from "../queue/generation-client.js";
import { replayMetrics } from "../requests/run-observers.js";
import { following, runRequest } from "../requests/run-request.js";
import type { TextModel } from "../text/text-model.js";
import { leavingOf, sendStream, sendWhole } from "./answer.js";

/** What following a generation takes. */
export interface Following {
  readonly model: TextModel;
  readonly client: GenerationClient;
  readonly metrics: Metrics;
  readonly sendTimeoutMs: number;
  readonly logger: Logger;
}

/** Answers with a stream again, from behind the last event that the client has. */
export function resumeStream(
  following: Following,
  reply: FastifyReply,
  { record, after }: { readonly record: StreamRecord; readonly after: StreamPosition | undefined },
): Promise<FastifyReply> {
  return follow(following, reply, { record, after, withIds: true, source: "stream" });
}

/** Answers with what the first request with this Idempotency-Key got, or is getting, at any gateway. */
export async function replayGeneration(
  following: Following,
  reply: FastifyReply,
  { record, stream, withIds }: StoredGeneration,
): Promise<FastifyReply> {
  const source = "idempotency_key";
  if (stream) return follow(following, reply, { record, withIds, source });
  const writer = openWriter(record.writer, following.model);
  return sendWhole(reply, eventsOf(following, reply, { record, source }), writer);
}

interface Followed {
  readonly record: StreamRecord;
  readonly source: "stream" | "idempotency_key";
}

interface FollowedStream extends Followed {
  readonly after?: StreamPosition | undefined;
  readonly withIds: boolean;
}

async function follow(uses: Following, reply: FastifyReply, stream: FollowedStream): Promise<FastifyReply> {
  const { record, after, withIds } = stream;
  const events = eventsOf(uses, reply, stream);
  const ordered = after === undefined ? events : replayOrder(events, after);
  const writer = openWriter(record.writer, uses.model);
  const lines = streamLines(ordered, { writer, choices: record.jobs.length, withIds, after });
  return sendStream(reply, { events, lines, logger: uses.logger, sendTimeoutMs: uses.sendTimeoutMs });
}

function eventsOf({ client, metrics }: Following, reply: FastifyReply, { record, source }: Followed) {
  return runRequest({
    ...following(client, record),
    leaving: leavingOf(reply),
    observers: [replayMetrics(metrics, source)],
  });
}
