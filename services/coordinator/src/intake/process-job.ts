import { type GenerationEvent, generationJobSchema, type Logger, RhoneError } from "@rhone/common";
import type { Redis } from "ioredis";
import { z } from "zod";
import type { Engine } from "../engine/engine.js";
import type { TokenLog } from "../token-log/token-log.js";
import type { Cancellations } from "./cancellations.js";

export interface JobContext {
  readonly engine: Engine;
  readonly tokenLog: TokenLog;
  readonly cancellations: Cancellations;
  readonly redis: Redis;
  readonly logger: Logger;
}

/** The least that a malformed job must tell to be answered. */
const addressSchema = z.object({ requestId: z.string().min(1), replyTo: z.string() });

/**
 * Generates what a job asks for, from the beginning or from where its token log ends. Resolves when the last event is
 * written. Rejects as Engine.run does, and with INVALID_REQUEST for a job that does not even say whom to answer.
 */
export async function processJob(data: unknown, context: JobContext): Promise<void> {
  const { engine, tokenLog, cancellations, redis } = context;
  const parsed = generationJobSchema.safeParse(data);
  if (!parsed.success) return refuseJob(data, z.prettifyError(parsed.error), context);
  const job = parsed.data;
  const recorded = await tokenLog.read(job.requestId);
  if (recorded.finished) return;
  const cancelled = await cancellations.has(redis, job.requestId);
  const done = engine.run(job, recorded.tokens, recorded.ordinal);
  if (cancelled) engine.cancel(job.requestId);
  return done;
}

async function refuseJob(data: unknown, problem: string, { tokenLog, logger }: JobContext): Promise<void> {
  const address = addressSchema.safeParse(data);
  logger.error({ problem, requestId: address.data?.requestId }, "malformed job");
  const message = `The job does not follow the schema of this release: ${problem}`;
  if (!address.success) throw new RhoneError("INVALID_REQUEST", message);
  const { requestId, replyTo } = address.data;
  const { ordinal } = await tokenLog.read(requestId);
  const event: GenerationEvent = {
    requestId,
    ordinal,
    tokens: [],
    text: "",
    finish: { reason: "error", code: "INVALID_REQUEST", message },
    usage: { promptTokens: 0, completionTokens: 0, cachedTokens: 0 },
  };
  await tokenLog.append([{ replyTo, event }]);
}
