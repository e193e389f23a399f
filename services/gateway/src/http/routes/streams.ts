import { RhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyReply } from "fastify";
import { replayOrder } from "../../answers/replay-order.js";
import { SSE_HEADERS } from "../../answers/sse.js";
import { streamLines } from "../../answers/stream-lines.js";
import { parsePosition, type StreamPosition } from "../../answers/stream-position.js";
import type { StreamRecord } from "../../answers/stream-record.js";
import { openWriter } from "../../answers/writer-record.js";
import type { GatewayDeps } from "../../gateway-deps.js";
import { mergeEvents } from "../../requests/merge-events.js";
import { guarded } from "../answer.js";
import { sendText } from "../send-text.js";
import { loadStream } from "../stored-streams.js";

interface StreamRoute {
  readonly Params: { readonly id: string };
  readonly Headers: { readonly "last-event-id"?: string };
}

/** The coordinator ends a request at its deadline; a stream whose log is gone by then says nothing more. */
const AFTER_DEADLINE_MS = 5000;

/** GET /v1/streams/:id writes a streamed answer once more, from behind Last-Event-ID; DELETE ends its generation. */
export function streams(app: FastifyInstance, deps: GatewayDeps): void {
  app.get<StreamRoute>("/v1/streams/:id", async ({ params, headers, caller }, reply) => {
    const record = await loadStream(deps, params.id, caller.owner);
    const seen = headers["last-event-id"];
    const after = seen === undefined || seen === "" ? undefined : parsePosition(seen, record.jobs.length);
    return followStream(deps, reply, record, { after, withIds: true });
  });
  app.delete<StreamRoute>("/v1/streams/:id", async ({ params, caller }) => {
    const { jobs } = await loadStream(deps, params.id, caller.owner);
    await Promise.all(jobs.map((job) => deps.client.cancel(job)));
    return { id: params.id, object: "stream", cancelled: true };
  });
}

interface FollowOptions {
  /** The last event that the client had. */
  readonly after?: StreamPosition | undefined;
  readonly withIds: boolean;
}

/** Answers with a stream that runs, or ran, from its token logs. */
export async function followStream(
  deps: GatewayDeps,
  reply: FastifyReply,
  record: StreamRecord,
  { after, withIds }: FollowOptions,
): Promise<FastifyReply> {
  const { jobs } = record;
  const { signal, leave } = whileFollowed(reply, record);
  const merged = mergeEvents(jobs.map((job) => deps.client.follow(job, signal)));
  const events = after === undefined ? merged : replayOrder(merged, after);
  const writer = openWriter(record.writer, deps.model);
  const lines = streamLines(events, {
    writer,
    choices: jobs.length,
    withIds,
    ...(after !== undefined && { after }),
  });
  const first = await lines.next();
  await sendText(reply, SSE_HEADERS, guarded(first, lines, leave, { deps, reply }));
  return reply;
}

interface Following {
  readonly signal: AbortSignal;
  readonly leave: () => Promise<void>;
}

/** Aborted when the client leaves, when `leave` is called, and some time after the request's deadline. */
export function whileFollowed(reply: FastifyReply, { deadlineAtMs }: Pick<StreamRecord, "deadlineAtMs">): Following {
  const abort = new AbortController();
  const patienceMs = Math.max(0, deadlineAtMs - Date.now()) + AFTER_DEADLINE_MS;
  const timer = setTimeout(() => abort.abort(deadlineExceeded()), patienceMs);
  const leave = async () => {
    clearTimeout(timer);
    abort.abort(new RhoneError("CANCELLED", "The client closed the connection."));
  };
  reply.raw.once("close", leave);
  return { signal: abort.signal, leave };
}

const deadlineExceeded = (): RhoneError =>
  new RhoneError("DEADLINE_EXCEEDED", "The request's deadline has passed and its events are gone.");
