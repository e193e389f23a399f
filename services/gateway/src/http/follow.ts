import { RhoneError } from "@rhone/common";
import type { FastifyReply } from "fastify";
import type { StoredGeneration } from "../admission/idempotency-records.js";
import type { AnswerRoom, HeldAnswer } from "../answers/answer-room.js";
import { replayOrder } from "../answers/replay-order.js";
import { ResponseWriter } from "../answers/response-writer.js";
import { streamLines } from "../answers/stream-lines.js";
import { beyond, type StreamPosition } from "../answers/stream-position.js";
import { addressesOf, isInBackground, type StreamRecord } from "../answers/stream-records.js";
import type { Writer } from "../answers/writer.js";
import { openWriter, promptBytes } from "../answers/writer-record.js";
import type { Metrics } from "../metrics.js";
import type { ServedModels } from "../models/served-models.js";
import type { GenerationClient } from "../queue/generation-client.js";
import { LostJobs } from "../requests/lost-jobs.js";
import { replayFactsOf } from "../requests/run-facts.js";
import { replayMetrics } from "../requests/run-observers.js";
import { following, runRequest } from "../requests/run-request.js";
import { type Sending, sendStream, sendWhole, whenSent } from "./answer.js";
import { leavingOf } from "./leaving.js";
import type { Readers } from "./readers.js";

/** What following a generation takes. */
export interface Following extends Sending {
  readonly models: Pick<ServedModels, "textOfRecord">;
  readonly client: GenerationClient;
  readonly readers: Readers;
  readonly answers: AnswerRoom;
  readonly metrics: Metrics;
}

/**
 * Answers with a stream again, from behind the last event that the client has. Throws INVALID_REQUEST for an event that
 * the stream has not reached, and GATEWAY_BUSY without room in memory.
 */
export async function resumeStream(
  following: Following,
  reply: FastifyReply,
  { record, after }: { readonly record: StreamRecord; readonly after: StreamPosition | undefined },
): Promise<FastifyReply> {
  if (after !== undefined) await refuseBeyond(following.client, record, after);
  return holding({ following, reply, record }, () =>
    follow(following, reply, { record, after, withIds: true, source: "stream" }),
  );
}

/**
 * Answers with what the first request with this Idempotency-Key got, or is getting, at any gateway. Throws
 * TOO_MANY_READERS, and GATEWAY_BUSY without room in memory. `onLost`: its generation will never end.
 */
export async function replayGeneration(
  following: Following,
  reply: FastifyReply,
  { record, stream, withIds, onLost }: StoredGeneration & { readonly onLost: () => void },
): Promise<FastifyReply> {
  const source = "idempotency_key";
  const reading = { stream: record.writer.options.id, owner: record.owner };
  const replay = async (held: HeldAnswer) => {
    if (stream) return follow(following, reply, { record, withIds, source, onLost });
    const writer = await writerOf(following, record);
    const events = eventsOf(following, reply, { record, source, held, onLost });
    return sendWhole(reply, { writer, events, sending: following });
  };
  return following.readers.admit(reading, () => holding({ following, reply, record }, replay));
}

/** Throws MODEL_NOT_FOUND for an answer of a model that this gateway has no more. */
const writerOf = async ({ models }: Following, { writer }: StreamRecord): Promise<Writer> =>
  openWriter(writer, await models.textOfRecord(writer.options.modelName));

interface Holding {
  readonly following: Following;
  readonly reply: FastifyReply;
  readonly record: StreamRecord;
}

/** Takes room for the record and the answer, at once: a reader that waited would hold its record meanwhile. */
async function holding({ following, reply, record }: Holding, answer: (held: HeldAnswer) => Promise<FastifyReply>) {
  const bytes = promptBytes(record.writer) + (record.answerBytes ?? 0);
  const held = following.answers.takeNow({ bytes, lane: "interactive", owner: record.owner });
  try {
    return await answer(held);
  } finally {
    whenSent(reply, () => held.release());
  }
}

/**
 * Answers with the events of a response again, from behind the sequence number `after`. One that runs in the background
 * begins with its first events before it has a token. Throws NOT_FOUND for a response whose events are gone.
 */
export async function resumeResponse(
  following: Following,
  reply: FastifyReply,
  { record, after, isOver }: { readonly record: StreamRecord; readonly after: number; readonly isOver: boolean },
): Promise<FastifyReply> {
  const { writer: written } = record;
  if (written.kind !== "responses") throw new Error("A response has a writer of its own");
  const [job] = addressesOf(record);
  if (isOver && job !== undefined && (await following.client.logLength(job)) === 0)
    throw new RhoneError("NOT_FOUND", `The events of ${written.options.id} are gone; get it without stream.`);
  const model = await following.models.textOfRecord(written.options.modelName);
  const writer = new ResponseWriter(written.options, model, after);
  const first = isInBackground(record) ? writer.opening() : [];
  return holding({ following, reply, record }, () =>
    follow(following, reply, { record, withIds: false, source: "stream", writer, first }),
  );
}

/** Logs whose lengths are read at a time. */
const LENGTHS_AT_ONCE = 64;

/** A reader behind events that may never come would keep all others of the stream in memory. */
async function refuseBeyond(client: GenerationClient, record: StreamRecord, after: StreamPosition) {
  const read = [...addressesOf(record).entries()].filter(([choice]) => (after.taken[choice] ?? 0) > 0);
  while (read.length > 0) {
    const some = read.splice(0, LENGTHS_AT_ONCE);
    const lengths = await Promise.all(some.map(([, job]) => client.logLength(job)));
    for (const [at, [choice]] of some.entries()) {
      const length = lengths[at] ?? 0;
      if (length === 0) throw new RhoneError("NOT_FOUND", "The stream's events are gone; send the request again.");
      if ((after.taken[choice] ?? 0) > length) throw beyond(choice, after, length);
    }
  }
}

interface Followed {
  readonly record: StreamRecord;
  readonly source: "stream" | "idempotency_key";
  /** Of a whole answer. */
  readonly held?: HeldAnswer;
  readonly after?: StreamPosition | undefined;
  readonly onLost?: () => void;
}

interface FollowedStream extends Followed {
  readonly withIds: boolean;
  /** Default: the record's. */
  readonly writer?: Writer;
  /** Chunks before those of the first event. */
  readonly first?: readonly string[];
}

async function follow(uses: Following, reply: FastifyReply, stream: FollowedStream): Promise<FastifyReply> {
  const { record, after, withIds, first = [] } = stream;
  const writer = stream.writer ?? (await writerOf(uses, record));
  const events = eventsOf(uses, reply, stream);
  const rest = streamLines(events, { writer, choices: record.jobs.length, withIds, after });
  const lines = first.length === 0 ? rest : behind(first.map(writer.dialect.event).join(""), rest);
  return sendStream(reply, { writer, events, lines, sending: uses });
}

async function* behind(first: string, lines: AsyncGenerator<string, void, undefined>) {
  yield first;
  yield* lines;
}

function eventsOf({ client, metrics }: Following, reply: FastifyReply, followed: Followed) {
  const { record, after, source, held, onLost } = followed;
  const { open, ...limits } = following(client, record);
  const { facts, span } = reply.request;
  if (record.trace !== undefined) span?.link(record.trace);
  const jobs = isInBackground(record) ? null : new LostJobs(client, addressesOf(record));
  if (onLost !== undefined) jobs?.lost.addEventListener("abort", onLost);
  return runRequest({
    ...limits,
    open: (signalOf) => (after === undefined ? open(signalOf) : replayOrder(open(signalOf), after, signalOf)),
    leaving: AbortSignal.any([leavingOf(reply), ...(jobs === null ? [] : [jobs.lost])]),
    observers: [
      replayMetrics(metrics, source),
      ...(jobs === null ? [] : [jobs]),
      ...(held === undefined ? [] : [held]),
      ...(facts === null ? [] : [replayFactsOf(facts)]),
    ],
  });
}
