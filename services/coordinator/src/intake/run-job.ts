import {
  explainRefusal,
  type GenerationEvent,
  generationJobSchema,
  LANES,
  type Logger,
  leaveQueue,
  RhoneError,
  type Tracing,
} from "@rhone/common";
import type { Redis } from "ioredis";
import { z } from "zod";
import type { Engine } from "../engine/engine.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";
import type { TokenLog } from "../token-log/token-log.js";
import { beginSpan } from "./begin-span.js";
import type { Cancellations } from "./cancellations.js";
import type { JobPace } from "./job-pace.js";

export interface JobContext {
  readonly engine: Engine;
  readonly tokenLog: TokenLog;
  /** Whose jobs are taken. */
  readonly model: string;
  readonly cancellations: Cancellations;
  /** Shared by the jobs of both lanes. */
  readonly pace: JobPace;
  readonly redis: Redis;
  readonly tracing: Tracing;
  /** Called when the engine knows the job. */
  readonly onArrival: () => void;
  readonly logger: Logger;
}

interface TakenAt {
  /** When its gateway put the job on the queue, in Unix milliseconds. */
  readonly queuedAtMs?: number;
}

/** The fields without which a malformed job can't be answered. */
const addressSchema = z.object({
  requestId: z.string().min(1),
  replyTo: z.string(),
  keyId: z.string().catch(""),
  lane: z.enum(LANES).catch("interactive"),
});

/**
 * Runs a job from the beginning, or from the end of its token log when another coordinator began it. Resolves when the
 * last event is written. Rejects as Engine.run does, and with INVALID_REQUEST for a malformed job without an address to
 * answer.
 */
export async function runJob(data: unknown, context: JobContext & TakenAt): Promise<void> {
  const { engine, tokenLog, cancellations, pace, redis, onArrival } = context;
  await pace.next();
  const parsed = generationJobSchema.safeParse(data, { reportInput: true });
  if (!parsed.success) return refuseJob(data, explainRefusal(parsed.error, "the job").problem, context);
  const job = parsed.data;
  const [recorded] = await Promise.all([tokenLog.read(job.requestId), leaveQueue(redis, job)]);
  if (recorded.finished) return;
  // Redis has lost the log's beginning, which only the coordinator that runs the job knows; others generate it again.
  const isLost = !recorded.isWhole && !engine.isRunning(job.requestId);
  if (isLost) await tokenLog.forget(job.requestId);
  await pace.next();
  const cancelled = await cancellations.has(redis, job.requestId);
  const known = isLost ? NOTHING_RECORDED : recorded;
  const { tracing, queuedAtMs } = context;
  const isNew = !engine.isRunning(job.requestId);
  const span = isNew ? beginSpan(tracing, job, { queuedAtMs, recorded: known.tokens.length }) : null;
  const done = engine.run(job, known, span);
  onArrival();
  if (cancelled) engine.cancel(job.requestId);
  return done;
}

async function refuseJob(data: unknown, problem: string, { tokenLog, model, logger }: JobContext): Promise<void> {
  const address = addressSchema.safeParse(data);
  logger.error({ problem, requestId: address.data?.requestId }, "malformed job");
  const message = `The job is of another version of Rhone, which can't be read here (${problem}); use one for all services.`;
  if (!address.success) throw new RhoneError("INVALID_REQUEST", message);
  const { requestId } = address.data;
  const { ordinal } = await tokenLog.read(requestId);
  const event: GenerationEvent = {
    requestId,
    ordinal,
    tokens: [],
    text: "",
    finish: { reason: "error", code: "INVALID_REQUEST", message },
    usage: { promptTokens: 0, completionTokens: 0, cachedTokens: 0 },
  };
  await tokenLog.append([{ owner: { ...address.data, model }, event }]);
}
