import { RhoneError } from "@rhone/common";
import type { FastifyReply } from "fastify";
import { TokenAccount } from "../admission/token-account.js";
import { SSE_HEADERS, sseData } from "../answers/sse.js";
import { streamLines } from "../answers/stream-lines.js";
import { streamRecordOf } from "../answers/stream-record.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { mergeEvents } from "../requests/merge-events.js";
import type { PreparedRequest } from "../requests/prepared-request.js";
import { errorBody, toRequestError } from "./error-response.js";
import { limitTokens, tokensFor } from "./limit-tokens.js";
import { sendText } from "./send-text.js";
import { saveStream } from "./stored-streams.js";

export interface AnswerOptions extends PreparedRequest {
  readonly deps: GatewayDeps;
  readonly reply: FastifyReply;
  readonly route: string;
}

/**
 * Runs the jobs and answers. Headers go out after the first event, so that early failures keep their HTTP status.
 * Throws RATE_LIMIT_EXCEEDED before anything runs.
 */
export async function answer(options: AnswerOptions): Promise<unknown> {
  const { reply, stream, writer, jobs, record, resumable, deps, statesLimit } = options;
  const { claim } = reply.request;
  const reservation = await limitTokens(deps, reply, tokensFor(jobs, statesLimit));
  const account = new TokenAccount(reservation, jobs);
  const streamRecord = record === undefined ? undefined : streamRecordOf(record, jobs);
  if (streamRecord !== undefined) await claim?.generates(streamRecord, { stream, withIds: resumable });
  if (!stream) {
    for await (const event of observed(options, account)) writer.take(event);
    return reply.send(writer.whole());
  }
  const saved = resumable && streamRecord !== undefined ? saveStream(deps, streamRecord) : undefined;
  const events = observed(options, account);
  const lines = streamLines(events, { writer, choices: jobs.length, withIds: saved !== undefined });
  const first = await lines.next();
  if (await saved) reply.header("content-location", `/v1/streams/${record?.options.id}`);
  await sendText(
    reply,
    SSE_HEADERS,
    guarded(first, lines, () => events.return(), options),
  );
  return reply;
}

/** The lines, with a late failure as the last of them. */
export async function* guarded(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, undefined>,
  leave: () => Promise<unknown>,
  { deps, reply }: Pick<AnswerOptions, "deps" | "reply">,
): AsyncGenerator<string, void, undefined> {
  try {
    if (first.done !== true) yield first.value;
    yield* rest;
  } catch (error) {
    const named = toRequestError(error);
    const httpRequest = reply.request.id;
    if (named.code === "CANCELLED") deps.logger.debug({ httpRequest }, "stream cancelled");
    else deps.logger.warn({ err: error, httpRequest }, "stream failed");
    yield sseData(JSON.stringify(errorBody(named)));
  } finally {
    // Leaving before the first chunk was read would leave the jobs running.
    await leave();
  }
}

/**
 * The merged events under the request's deadline and its client's patience; counts exactly one outcome, and what was used of the
 * tokens set aside. With an Idempotency-Key nothing ends with the client: it may ask again.
 */
async function* observed(
  { deps, reply, route, jobs, writer, stream, resumable, atOnce }: AnswerOptions,
  account: TokenAccount,
) {
  const { metrics, client } = deps;
  const { claim } = reply.request;
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  const detached = claim !== null || (stream && resumable);
  const timeoutMs = Math.max(...jobs.map(({ deadlineAtMs, arrivedAtMs }) => deadlineAtMs - arrivedAtMs));
  const abort = new AbortController();
  const giveUp = () => abort.abort(new RhoneError("CANCELLED", "The client closed the connection."));
  const timer = setTimeout(() => abort.abort(deadlineExceeded(timeoutMs)), timeoutMs);
  if (claim === null || stream) {
    reply.raw.once("close", giveUp);
    if (reply.raw.destroyed) giveUp();
  }
  metrics.running.inc();
  let outcome = "cancelled";
  let isFirst = true;
  try {
    const sources = jobs.map((job) => client.generate(job, abort.signal, { detached }));
    for await (const event of mergeEvents(sources, atOnce)) {
      if (isFirst) metrics.firstTokenSeconds.observe(seconds());
      isFirst = false;
      account.take(event.event);
      yield event;
    }
    outcome = "ok";
  } catch (error) {
    outcome = toRequestError(error).code.toLowerCase();
    throw error;
  } finally {
    clearTimeout(timer);
    reply.raw.off("close", giveUp);
    // Whatever still runs belongs to a request that ended.
    abort.abort(new RhoneError("CANCELLED", "The request ended."));
    const isLeft = outcome === "cancelled";
    account.close({ isLeft, goesOn: isLeft && detached });
    if (stream && outcome === "ok") void claim?.answered(null);
    else if (stream && !isLeft) void claim?.failed();
    metrics.running.dec();
    metrics.requests.inc({ route, outcome });
    metrics.requestSeconds.observe(seconds());
    metrics.promptTokens.inc(writer.usage.prompt_tokens);
    metrics.completionTokens.inc(writer.usage.completion_tokens);
  }
}

const deadlineExceeded = (ms: number): RhoneError =>
  new RhoneError("DEADLINE_EXCEEDED", `The request took longer than ${ms / 1000} s; ask for fewer tokens.`);
