import type { FastifyReply } from "fastify";
import type { StoredGeneration } from "../admission/idempotency-records.js";
import { openWriter } from "../answers/writer-record.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { mergeEvents } from "../requests/merge-events.js";
import { followStream, whileFollowed } from "./routes/streams.js";

/** The answer of a request that runs, or ran, at whatever gateway, written from its token logs as the first one got it. */
export async function replayGeneration(
  deps: GatewayDeps,
  reply: FastifyReply,
  { record, stream, withIds }: StoredGeneration,
): Promise<FastifyReply> {
  if (stream) return followStream(deps, reply, record, { withIds });
  const writer = openWriter(record.writer, deps.model);
  const { signal, leave } = whileFollowed(reply, record);
  try {
    const jobs = record.jobs.map((job) => deps.client.follow(job, signal));
    for await (const event of mergeEvents(jobs)) writer.take(event);
  } finally {
    await leave();
  }
  return reply.send(writer.whole());
}
