import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, RhoneError } from "@rhone/common";
import type { GatewayDeps } from "../gateway-deps.js";
import { toRequestError } from "../http/error-response.js";
import { mergeEvents } from "../requests/merge-events.js";
import { refuseDeep } from "../requests/refuse-deep.js";
import type { BatchLine } from "./batch-line.js";
import type { BatchRecord } from "./batch-record.js";
import { BATCH_ENDPOINTS } from "./endpoints.js";
import { answeredLine, lineId, refusedLine } from "./line-entry.js";
import type { LineResult } from "./result-log.js";

/** Failures of the cluster, not of the request: the line waits until they pass. */
const OUTAGES: ReadonlySet<ErrorCode> = new Set([
  "NO_PIPELINE",
  "LOADING_MODEL",
  "WORKER_LOST",
  "EPOCH_CHANGED",
  "QUEUE_FULL",
  "REDIS_UNAVAILABLE",
  "SHUTTING_DOWN",
]);
const LONGEST_PAUSE_MS = 15_000;
/** The batch's own end comes before the generations' deadline, so that they are told apart from lines that took too long. */
const AFTER_EXPIRY_MS = 60_000;

export interface LineRun {
  readonly deps: GatewayDeps;
  readonly batch: BatchRecord;
  readonly number: number;
  readonly line: BatchLine;
  readonly signal: AbortSignal;
  /** Before the line is tried a second time; doubled for each further one. */
  readonly pauseMs: number;
}

/** What one line's request comes to. Throws the signal's reason when it is aborted first. */
export async function runLine(run: LineRun): Promise<LineResult> {
  const { batch, number, line, signal, pauseMs, deps } = run;
  const place = { batchId: batch.id, line: number, customId: line.customId };
  for (let attempt = 0; ; attempt++) {
    // Taken up again by another gateway, the first attempt finds its generation by its id; an id that failed would fail again.
    const id = lineId(place) + (attempt === 0 ? "" : `-r${attempt}`);
    try {
      return answeredLine(place, await generate(run, id));
    } catch (error) {
      signal.throwIfAborted();
      const named = toRequestError(error);
      if (named.code === "INTERNAL") deps.logger.error({ err: error, batch: batch.id, line: number }, "line failed");
      if (!OUTAGES.has(named.code)) return refusedLine(place, named);
      await sleep(Math.min(pauseMs * 2 ** attempt, LONGEST_PAUSE_MS), undefined, { signal }).catch(() => {});
      signal.throwIfAborted();
    }
  }
}

async function generate({ deps, batch, line, signal }: LineRun, id: string) {
  signal.throwIfAborted();
  refuseDeep(line.body);
  const deadlineAtMs = batch.expiresAt * 1000 + AFTER_EXPIRY_MS;
  const arrival = { id, lane: "batch", owner: batch.owner ?? "", arrivedAtMs: Date.now(), deadlineAtMs } as const;
  const { jobs, writer, atOnce } = await BATCH_ENDPOINTS[batch.endpoint](deps, line.body, arrival);
  const own = new AbortController();
  const follow = () => own.abort(signal.reason);
  signal.addEventListener("abort", follow, { once: true });
  try {
    const sources = jobs.map((job) => deps.client.generate(job, own.signal));
    for await (const event of mergeEvents(sources, atOnce)) writer.take(event);
  } finally {
    signal.removeEventListener("abort", follow);
    // Choices of a line that failed.
    own.abort(new RhoneError("CANCELLED", "The line ended."));
  }
  const { prompt_tokens, completion_tokens, prompt_tokens_details } = writer.usage;
  deps.metrics.promptTokens.inc(prompt_tokens);
  deps.metrics.completionTokens.inc(completion_tokens);
  const cachedTokens = prompt_tokens_details.cached_tokens;
  const usage = { promptTokens: prompt_tokens, cachedTokens, completionTokens: completion_tokens };
  return { body: writer.whole(), usage };
}
