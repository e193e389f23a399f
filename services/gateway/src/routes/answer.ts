import { type GenerationJob, RhoneError } from "@rhone/common";
import type { FastifyReply } from "fastify";
import { errorBody, toRequestError } from "../api/error-response.js";
import { SSE_DONE, SSE_HEADERS, sseData } from "../api/sse.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { type ChoiceEvent, mergeEvents } from "../queue/merge-events.js";
import { sendText } from "./send-text.js";

/** Turns a request's events into its JSON: chunks as they come, or one whole answer at the end. */
export interface Writer {
  /** Takes an event in; the JSON of the chunks that it makes, if the answer is a stream. */
  take(choiceEvent: ChoiceEvent): readonly string[];
  /** The chunks after the last event. */
  end(): readonly string[];
  whole(): unknown;
  readonly usage: {
    readonly prompt_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
    readonly completion_tokens: number;
  };
}

export interface AnswerOptions {
  readonly deps: GatewayDeps;
  readonly reply: FastifyReply;
  readonly route: string;
  readonly jobs: readonly GenerationJob[];
  readonly stream: boolean;
  readonly writer: Writer;
}

/** Runs the jobs and answers. Headers go out after the first event, so that early failures keep their HTTP status. */
export async function answer(options: AnswerOptions): Promise<unknown> {
  const { reply, stream, writer } = options;
  const events = observed(options);
  if (!stream) {
    for await (const event of events) writer.take(event);
    return reply.send(writer.whole());
  }
  const first = await events.next();
  await sendText(reply, SSE_HEADERS, serverSentEvents(first, events, options));
  return reply;
}

/** One part per event of the coordinator, with all the chunks that it makes. */
async function* serverSentEvents(
  first: IteratorResult<ChoiceEvent, void>,
  rest: AsyncGenerator<ChoiceEvent, void, undefined>,
  { writer, deps, jobs }: AnswerOptions,
): AsyncGenerator<string, void, undefined> {
  try {
    if (first.done !== true) yield writer.take(first.value).map(sseData).join("");
    for await (const event of rest) {
      const part = writer.take(event).map(sseData).join("");
      if (part !== "") yield part;
    }
    yield writer.end().map(sseData).join("") + SSE_DONE;
  } catch (error) {
    const named = toRequestError(error);
    const requestId = jobs[0]?.requestId;
    if (named.code === "CANCELLED") deps.logger.debug({ requestId }, "stream cancelled");
    else deps.logger.warn({ err: error, requestId }, "stream failed");
    yield sseData(JSON.stringify(errorBody(named)));
  } finally {
    // Leaving before the first chunk was read would leave the jobs running.
    await rest.return();
  }
}

/** The merged events under the request's deadline and its client's patience; counts exactly one outcome. */
async function* observed({ deps, reply, route, jobs, writer }: AnswerOptions) {
  const { metrics, client, requestTimeoutMs } = deps;
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  const abort = new AbortController();
  const giveUp = () => abort.abort(new RhoneError("CANCELLED", "The client closed the connection."));
  const timer = setTimeout(() => abort.abort(deadlineExceeded(requestTimeoutMs)), requestTimeoutMs);
  reply.raw.once("close", giveUp);
  if (reply.raw.destroyed) giveUp();
  metrics.running.inc();
  let outcome = "cancelled";
  let isFirst = true;
  try {
    for await (const event of mergeEvents(jobs.map((job) => client.generate(job, abort.signal)))) {
      if (isFirst) metrics.firstTokenSeconds.observe(seconds());
      isFirst = false;
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
    metrics.running.dec();
    metrics.requests.inc({ route, outcome });
    metrics.requestSeconds.observe(seconds());
    metrics.promptTokens.inc(writer.usage.prompt_tokens);
    metrics.completionTokens.inc(writer.usage.completion_tokens);
  }
}

const deadlineExceeded = (ms: number): RhoneError =>
  new RhoneError("DEADLINE_EXCEEDED", `The request took longer than ${ms / 1000} s; ask for fewer tokens.`);
