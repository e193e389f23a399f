import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { type Logger, type RhoneError, toRhoneError } from "@rhone/common";
import type { FastifyReply, FastifyRequest } from "fastify";
import { TokenAccount } from "../admission/token-account.js";
import type { HeldAnswer } from "../answers/answer-room.js";
import { type Failing, failureLines, SSE_HEADERS, streamLines } from "../answers/stream-lines.js";
import { type StreamRecord, type StreamRecords, streamRecordOf } from "../answers/stream-records.js";
import { type ChoiceEvent, type Writer, wholeAnswer } from "../answers/writer.js";
import type { RecentRequests } from "../live/recent-requests.js";
import type { Metrics } from "../metrics.js";
import type { GenerationClient } from "../queue/generation-client.js";
import { traceGeneration } from "../requests/generation-span.js";
import type { PreparedRequest } from "../requests/prepare.js";
import { factsOf } from "../requests/run-facts.js";
import { requestMetrics } from "../requests/run-observers.js";
import { generating, type RunObserver, runRequest } from "../requests/run-request.js";
import { leavingOf, waitingOf } from "./leaving.js";
import { isThereWithin, Pings } from "./pings.js";
import { type Limiting, reserveTokens } from "./rate-limiting.js";
import { jsonBytes, sendJson } from "./send-json.js";
import { namesOf } from "./trace-requests.js";

/** How answers are sent. */
export interface Sending {
  /** A client that reads nothing for this long loses its connection. */
  readonly sendTimeoutMs: number;
  /** A client that waits gets something at this interval; 0 = nothing before its answer. */
  readonly pingIntervalMs: number;
  /** Whole answers begin with blanks while their clients wait, under a status of 200 whatever becomes of them. */
  readonly pingWholeAnswers: boolean;
  readonly logger: Logger;
}

/** What answering takes. */
export interface Answering extends Limiting, Sending {
  readonly client: GenerationClient;
  readonly streams: Pick<StreamRecords, "save">;
  readonly metrics: Metrics;
  readonly recent: Pick<RecentRequests, "observer">;
}

/** `route`: as the metrics name the endpoint. `held`: given back when the answer is sent. */
export type RoutedRequest = PreparedRequest & {
  readonly route: string;
  readonly held: HeldAnswer;
  /** Passes the events on; what it does behind the last one is done before the answer ends. */
  readonly around?: ((events: AnswerEvents) => AnswerEvents) | undefined;
};

type AnswerEvents = AsyncGenerator<ChoiceEvent, void, undefined>;

/** Runs a prepared request and sends its answer, whole or as a stream. Throws RATE_LIMIT_EXCEEDED before it runs. */
export async function answer(answering: Answering, reply: FastifyReply, request: RoutedRequest): Promise<unknown> {
  try {
    return await run(answering, reply, request);
  } finally {
    whenSent(reply, () => request.held.release());
  }
}

/** A long answer is sent at its client's pace, after the handler has returned. */
export function whenSent({ raw }: FastifyReply, done: () => void): void {
  if (raw.closed) done();
  else raw.once("close", done);
}

async function run(answering: Answering, reply: FastifyReply, request: RoutedRequest): Promise<unknown> {
  const { stream, writer, resumable, answerBytes } = request;
  const { claim, facts, span } = reply.request;
  const reservation = await reserveTokens(answering, reply, request);
  const { jobs, observers: tracers } = traceGeneration(span, request);
  const record = request.record && streamRecordOf(request.record, jobs, answerBytes);
  if (record !== undefined)
    await claim?.generates({ record, stream, withIds: resumable }).catch(async (error: unknown) => {
      await reservation?.settle(0);
      throw error;
    });
  // The client may ask again under its key, or resume the stream once it knows where: then generation does not end with
  // its connection. Before that nobody could ever read what was generated.
  let isKept = false;
  const detached = () => claim !== null || isKept;
  const observers: RunObserver[] = [requestMetrics(answering.metrics, request.route, request), ...tracers];
  if (facts !== null) observers.push(factsOf(facts, { jobs, writer, arrivedAt: facts.arrivedAt }));
  observers.push(answering.recent.observer({ ...request, usage: writer.usage }));
  if (reservation !== null) observers.push(new TokenAccount({ reservation, jobs, detached }));
  if (stream && claim !== null) observers.push(claim);
  const attached = claim === null || stream ? leavingOf(reply) : undefined;
  const leaving = claim !== null || (stream && resumable) ? attached : waitingOf(reply);
  if (!stream) observers.push(request.held);
  const generated = generating(answering.client, { ...request, jobs, detached, queued: () => claim?.queued() });
  const run = runRequest({ ...generated, leaving, observers });
  const events = request.around?.(run) ?? run;
  if (!stream) return sendWhole(reply, { writer, events, sending: answering });
  const saved = async (kept: StreamRecord) => {
    const place = await save(answering, kept);
    isKept = place !== null;
    return place;
  };
  const keep = resumable && record !== undefined ? () => saved(record) : undefined;
  const lines = streamLines(events, { writer, choices: jobs.length, withIds: keep !== undefined });
  return sendStream(reply, { writer, events, lines, keep, sending: answering });
}

/** Where the stream can be resumed; null if Redis did not take its record. Never rejects. */
async function save({ streams, logger }: Answering, record: StreamRecord): Promise<string | null> {
  const { id } = record.writer.options;
  try {
    await streams.save(record);
    return `/v1/streams/${id}`;
  } catch (err) {
    logger.warn({ err, id }, "stream not resumable");
    return null;
  }
}

export interface SentWhole {
  readonly writer: Writer;
  readonly events: AsyncIterable<ChoiceEvent>;
  readonly sending: Sending;
}

/** Takes in all events, and sends the whole answer. */
export async function sendWhole(reply: FastifyReply, whole: SentWhole): Promise<FastifyReply> {
  const { writer, events, sending } = whole;
  const answer = wholeAnswer(events, writer);
  const isThere = !sending.pingWholeAnswers || (await isThereWithin(answer, sending.pingIntervalMs));
  if (isThere) return sendJson(reply, await answer);
  reply.type("application/json; charset=utf-8");
  return reply.send(Readable.from(behindBlanks(reply, answer, whole), { objectMode: false }));
}

/** The answer with a blank before it for each interval that it is late; JSON may begin with them. */
async function* behindBlanks(
  { request }: FastifyReply,
  answer: Promise<unknown>,
  { writer, sending }: SentWhole,
): AsyncGenerator<Buffer, void, undefined> {
  // More often than the time after which a client that takes nothing is hung up on.
  const everyMs = Math.min(sending.pingIntervalMs, sending.sendTimeoutMs / 2);
  try {
    do yield Buffer.from(" ");
    while (!(await isThereWithin(answer, everyMs)));
    yield* jsonBytes(await answer);
  } catch (error) {
    void request.claim?.failed();
    yield Buffer.from(JSON.stringify(writer.dialect.errorBody(told(error, sending.logger, request), request.id)));
  }
}

/** An error behind a status of 200, which nothing else tells of. */
function told(error: unknown, logger: Logger, request: FastifyRequest): RhoneError {
  const named = toRhoneError(error);
  if (named.code === "CANCELLED") logger.debug(namesOf(request), "answer cancelled");
  else logger.warn({ err: error, ...namesOf(request) }, "answer failed after its headers");
  request.failure = named;
  return named;
}

export interface SentStream {
  readonly writer: Failing;
  /** What `lines` reads. */
  readonly events: AsyncGenerator<unknown, void, undefined>;
  readonly lines: AsyncGenerator<string, void, undefined>;
  /**
   * Makes the stream one that can be resumed, and returns its path; null: it can't be. Called once it has a line or its
   * client has waited: the records of requests that the queue refuses would fill Redis.
   */
  readonly keep?: (() => Promise<string | null>) | undefined;
  readonly sending: Sending;
}

/**
 * Sends a stream. The headers go out with the first line, so that earlier failures keep their HTTP status; or when the
 * client has waited for the first interval of pings.
 */
export async function sendStream(reply: FastifyReply, stream: SentStream): Promise<FastifyReply> {
  const first = stream.lines.next();
  const isThere = await isThereWithin(first, stream.sending.pingIntervalMs);
  const location = await stream.keep?.();
  if (location) reply.header("content-location", location);
  await sendText(reply, { parts: withFailure(first, stream, reply.request), isThere, sending: stream.sending });
  return reply;
}

/** The lines; a failure becomes the last of them. */
async function* withFailure(
  first: Promise<IteratorResult<string, void>>,
  { writer, events, lines, sending }: SentStream,
  request: FastifyRequest,
): AsyncGenerator<string, void, undefined> {
  try {
    const line = await first;
    if (line.done !== true) yield line.value;
    yield* lines;
  } catch (error) {
    yield failureLines(writer, told(error, sending.logger, request), request.id);
  } finally {
    // A client that leaves before the second line is read would leave the jobs running.
    await events.return();
  }
}

interface SentText {
  readonly parts: AsyncGenerator<string, void, undefined>;
  /** The first part is ready. */
  readonly isThere: boolean;
  readonly sending: Sending;
}

/**
 * Answers with a text that is still being generated, at the client's pace: each part is one write, at once. Ends early
 * when the client leaves, or reads nothing for `sendTimeoutMs`. Closes `parts` in any case; `parts` must not throw.
 */
async function sendText(
  reply: FastifyReply,
  { parts, isThere, sending: { sendTimeoutMs, pingIntervalMs } }: SentText,
): Promise<void> {
  const { raw } = reply.hijack();
  raw.writeHead(200, { ...reply.getHeaders(), ...SSE_HEADERS } as OutgoingHttpHeaders);
  const pings = new Pings(raw, pingIntervalMs);
  if (!isThere) pings.send();
  try {
    for await (const part of parts) {
      if (raw.destroyed) return;
      pings.rest();
      if (!raw.write(part)) await hasRoom(raw, sendTimeoutMs);
    }
    raw.end();
  } finally {
    pings.close();
  }
}

function hasRoom(raw: ServerResponse, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => raw.destroy(), timeoutMs);
    const done = (): void => {
      clearTimeout(timer);
      raw.off("drain", done).off("close", done);
      resolve();
    };
    raw.on("drain", done).on("close", done);
    if (raw.destroyed) done();
  });
}
