import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, type Logger, type TraceSpan, type Tracing, toRhoneError } from "@rhone/common";
import type { AnswerRoom, HeldAnswer } from "../answers/answer-room.js";
import { type Writer, wholeAnswer } from "../answers/writer.js";
import type { Metrics } from "../metrics.js";
import type { GenerationClient } from "../queue/generation-client.js";
import { traceGeneration } from "../requests/generation-span.js";
import type { Preparation, Prepare, PreparedRequest } from "../requests/prepare.js";
import { prepareChat } from "../requests/prepare-chat.js";
import { prepareCompletion } from "../requests/prepare-completion.js";
import { prepareEmbeddings } from "../requests/prepare-embeddings.js";
import { lineMetrics } from "../requests/run-observers.js";
import { generating, runRequest } from "../requests/run-request.js";
import type { BatchLine } from "./batch-line.js";
import type { BatchEndpoint, BatchRecord } from "./batch-record.js";
import { answeredLine, lineId, refusedLine } from "./line-entry.js";
import type { LineResult } from "./result-log.js";

/** What running a line takes. */
export interface LineUse extends Preparation {
  readonly client: GenerationClient;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly answers: AnswerRoom;
  readonly tracing: Tracing;
}

/** A line is prepared by the same code as a single request. */
const PREPARE: Readonly<Record<BatchEndpoint, Prepare>> = {
  "/v1/chat/completions": prepareChat,
  "/v1/completions": prepareCompletion,
  "/v1/embeddings": prepareEmbeddings,
};

/** Failures of the cluster, not of the request: a line is tried again until they pass. */
export const OUTAGES: ReadonlySet<ErrorCode> = new Set([
  "NO_PIPELINE",
  "LOADING_MODEL",
  "WORKER_LOST",
  "EPOCH_CHANGED",
  "QUEUE_FULL",
  "LOGS_FULL",
  "TEXTS_BUSY",
  "GRAMMARS_BUSY",
  "GATEWAY_BUSY",
  "REDIS_UNAVAILABLE",
  "SHUTTING_DOWN",
]);
const LONGEST_PAUSE_MS = 15_000;
/** Generations may outlive their batch by this much, so that its expiry is not mistaken for a slow line. */
const AFTER_EXPIRY_MS = 60_000;

export interface LineRun {
  readonly uses: LineUse;
  readonly batch: BatchRecord;
  readonly number: number;
  readonly line: BatchLine;
  readonly signal: AbortSignal;
  /** Before the second attempt; doubled for each further one, up to 15 s. */
  readonly pauseMs: number;
}

export interface RanLine {
  readonly result: LineResult;
  /** Gives back the memory of the answer; to be called when the result is written. */
  readonly release: () => void;
}

/** Runs one line's request to its result. Throws the signal's reason when it is aborted first. */
export async function runLine(run: LineRun): Promise<RanLine> {
  const { batch, number, uses } = run;
  const links = batch.trace === undefined ? [] : [batch.trace];
  const attributes = { "rhone.batch": batch.id, "rhone.batch_line": number };
  const span = uses.tracing.begin("batch line", { links, attributes });
  try {
    return await tryLine(run, span);
  } catch (error) {
    span?.fail(toRhoneError(error));
    throw error;
  } finally {
    span?.end();
  }
}

async function tryLine(run: LineRun, span: TraceSpan | null): Promise<RanLine> {
  const { batch, number, line, signal, pauseMs, uses } = run;
  const place = { batchId: batch.id, line: number, customId: line.customId };
  for (let attempt = 0; ; attempt++) {
    // The next owner of the batch finds the first attempt's generation by this id. A failed id would fail again.
    const id = lineId(place) + (attempt === 0 ? "" : `-r${attempt}`);
    try {
      const { release, ...answer } = await generate(run, id, span);
      return { result: answeredLine(place, answer), release };
    } catch (error) {
      signal.throwIfAborted();
      const named = toRhoneError(error);
      if (named.code === "INTERNAL") uses.logger.error({ err: error, batch: batch.id, line: number }, "line failed");
      if (!OUTAGES.has(named.code)) {
        span?.fail(named);
        return { result: refusedLine(place, named), release: () => {} };
      }
      span?.event("retry", { "error.type": named.code, "rhone.attempt": attempt + 1 });
      await sleep(Math.min(pauseMs * 2 ** attempt, LONGEST_PAUSE_MS), undefined, { signal }).catch(() => {});
      signal.throwIfAborted();
    }
  }
}

async function generate({ uses, batch, line, signal }: LineRun, id: string, span: TraceSpan | null) {
  signal.throwIfAborted();
  const deadlineAtMs = batch.expiresAt * 1000 + AFTER_EXPIRY_MS;
  const arrival = { id, lane: "batch", owner: batch.owner ?? "", arrivedAtMs: Date.now(), deadlineAtMs } as const;
  const prepared = await PREPARE[batch.endpoint](uses, line.body, { ...arrival, span });
  const held = await uses.answers.take({ bytes: prepared.answerBytes, ...arrival }, signal);
  const release = () => held.release();
  try {
    return { ...(await answerOf({ uses, signal, span }, prepared, held)), release };
  } catch (error) {
    release();
    throw error;
  }
}

async function answerOf(
  { uses, signal, span }: Pick<LineRun, "uses" | "signal"> & { readonly span: TraceSpan | null },
  prepared: PreparedRequest,
  held: HeldAnswer,
) {
  const { writer } = prepared;
  const { jobs, observers } = traceGeneration(span, prepared);
  const events = runRequest({
    ...generating(uses.client, { ...prepared, jobs, detached: () => false }),
    leaving: signal,
    observers: [...observers, lineMetrics(uses.metrics, prepared), held],
  });
  return { body: await wholeAnswer(events, writer), usage: usageOf(writer.usage) };
}

type WriterUsage = Writer["usage"];

const usageOf = ({ prompt_tokens, completion_tokens, prompt_tokens_details: { cached_tokens } }: WriterUsage) => ({
  promptTokens: prompt_tokens,
  cachedTokens: cached_tokens,
  completionTokens: completion_tokens,
});
