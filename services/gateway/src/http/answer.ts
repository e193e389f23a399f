import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type Logger, RhoneError, toRhoneError } from "@rhone/common";
import type { FastifyReply } from "fastify";
import { TokenAccount } from "../admission/token-account.js";
import type { HeldAnswer } from "../answers/answer-room.js";
import { type Failing, failureLines, SSE_HEADERS, streamLines } from "../answers/stream-lines.js";
import { type StreamRecord, type StreamRecords, streamRecordOf } from "../answers/stream-records.js";
import { type ChoiceEvent, type Writer, wholeAnswer } from "../answers/writer.js";
import type { Metrics } from "../metrics.js";
import type { GenerationClient } from "../queue/generation-client.js";
import type { PreparedRequest } from "../requests/prepare.js";
import { requestMetrics } from "../requests/run-observers.js";
import { generating, type RunObserver, runRequest } from "../requests/run-request.js";
import { type Limiting, reserveTokens } from "./rate-limiting.js";
import { sendJson } from "./send-json.js";

/** What answering takes. */
export interface Answering extends Limiting {
  readonly client: GenerationClient;
  readonly streams: Pick<StreamRecords, "save">;
  readonly metrics: Metrics;
  readonly sendTimeoutMs: number;
  readonly logger: Logger;
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
  const { stream, writer, jobs, resumable, answerBytes } = request;
  const { claim } = reply.request;
  const reservation = await reserveTokens(answering, reply, request);
  const record = request.record && streamRecordOf(request.record, jobs, answerBytes);
  if (record !== undefined) await claim?.generates({ record, stream, withIds: resumable });
  // The client may ask again under its key, or resume the stream: generation does not end with its connection.
  const detached = claim !== null || (stream && resumable);
  const observers: RunObserver[] = [requestMetrics(answering.metrics, request.route, writer)];
  if (reservation !== null) observers.push(new TokenAccount({ reservation, jobs, detached }));
  if (stream && claim !== null) observers.push(claim);
  const leaving = claim === null || stream ? leavingOf(reply) : undefined;
  if (!stream) observers.push(request.held);
  const generated = runRequest({ ...generating(answering.client, { ...request, detached }), leaving, observers });
  const events = request.around?.(generated) ?? generated;
  if (!stream) return sendWhole(reply, events, writer);
  const keep = resumable && record !== undefined ? () => save(answering, record) : undefined;
  const lines = streamLines(events, { writer, choices: jobs.length, withIds: keep !== undefined });
  const { logger, sendTimeoutMs } = answering;
  return sendStream(reply, { writer, events, lines, keep, logger, sendTimeoutMs });
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

/** Takes in all events, and sends the whole answer. */
export async function sendWhole(
  reply: FastifyReply,
  events: AsyncIterable<ChoiceEvent>,
  writer: Writer,
): Promise<FastifyReply> {
  return sendJson(reply, await wholeAnswer(events, writer));
}

/** Aborted when the client closes its connection. */
export function leavingOf({ raw }: FastifyReply): AbortSignal {
  const left = new AbortController();
  const leave = () => left.abort(new RhoneError("CANCELLED", "The client closed the connection."));
  raw.once("close", leave);
  if (raw.destroyed) leave();
  return left.signal;
}

export interface SentStream {
  readonly writer: Failing;
  /** What `lines` reads. */
  readonly events: AsyncGenerator<unknown, void, undefined>;
  readonly lines: AsyncGenerator<string, void, undefined>;
  /**
   * Makes the stream one that can be resumed, and returns its path; null: it can't be. Called once it has a line: the
   * records of requests that the queue refuses would fill Redis.
   */
  readonly keep?: (() => Promise<string | null>) | undefined;
  /** A client that reads nothing for this long loses its connection. */
  readonly sendTimeoutMs: number;
  readonly logger: Logger;
}

/** Sends a stream. The headers go out with the first line, so that earlier failures keep their HTTP status. */
export async function sendStream(reply: FastifyReply, stream: SentStream): Promise<FastifyReply> {
  const first = await stream.lines.next();
  const location = await stream.keep?.();
  if (location) reply.header("content-location", location);
  await sendText(reply, withFailure(first, stream, reply.request.id), stream.sendTimeoutMs);
  return reply;
}

/** The lines; a failure becomes the last of them. */
async function* withFailure(
  first: IteratorResult<string, void>,
  { writer, events, lines, logger }: SentStream,
  httpRequest: string,
): AsyncGenerator<string, void, undefined> {
  try {
    if (first.done !== true) yield first.value;
    yield* lines;
  } catch (error) {
    const named = toRhoneError(error);
    if (named.code === "CANCELLED") logger.debug({ httpRequest }, "stream cancelled");
    else logger.warn({ err: error, httpRequest }, "stream failed");
    yield failureLines(writer, named, httpRequest);
  } finally {
    // A client that leaves before the second line is read would leave the jobs running.
    await events.return();
  }
}

/**
 * Answers with a text that is still being generated, at the client's pace: each part is one write, at once. Ends early
 * when the client leaves, or reads nothing for `timeoutMs`. Closes `parts` in any case; `parts` must not throw.
 */
async function sendText(
  reply: FastifyReply,
  parts: AsyncGenerator<string, void, undefined>,
  timeoutMs: number,
): Promise<void> {
  const { raw } = reply.hijack();
  raw.writeHead(200, { ...reply.getHeaders(), ...SSE_HEADERS } as OutgoingHttpHeaders);
  for await (const part of parts) {
    if (raw.destroyed) return;
    if (!raw.write(part)) await hasRoom(raw, timeoutMs);
  }
  raw.end();
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
