import { type BatchRecord, type BatchStatus, isOver } from "./batch-record.js";
import type { BatchMarks } from "./batch-store.js";

/** The batch object of OpenAI's API, with `paused_at` besides while it rests. */
export function toOpenAiBatch(batch: BatchRecord, { cancelledAt, pausedAt }: BatchMarks) {
  const { reachedAt, usage } = batch;
  const isCancelling = cancelledAt !== null && !isOver(batch);
  const filesAreThere = isOver(batch);
  return {
    id: batch.id,
    object: "batch",
    endpoint: batch.endpoint,
    model: batch.model,
    errors: batch.problems.length === 0 ? null : { object: "list", data: batch.problems },
    input_file_id: batch.inputFileIds[0] ?? null,
    completion_window: batch.completionWindow,
    status: isCancelling ? "cancelling" : batch.status,
    output_file_id: filesAreThere ? batch.outputFileId : null,
    error_file_id: filesAreThere ? batch.errorFileId : null,
    created_at: batch.createdAt,
    in_progress_at: reachedAt.in_progress ?? null,
    expires_at: batch.expiresAt,
    finalizing_at: reachedAt.finalizing ?? null,
    completed_at: reachedAt.completed ?? null,
    failed_at: reachedAt.failed ?? null,
    ...(pausedAt !== null && !isOver(batch) && { paused_at: pausedAt }),
    expired_at: reachedAt.expired ?? null,
    cancelling_at: cancelledAt,
    cancelled_at: reachedAt.cancelled ?? null,
    request_counts: batch.counts,
    usage: {
      input_tokens: usage.promptTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens },
      output_tokens: usage.completionTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: usage.promptTokens + usage.completionTokens,
    },
    metadata: batch.metadata,
  };
}

const STATUS: Readonly<Record<BatchStatus, string>> = {
  validating: "QUEUED",
  in_progress: "RUNNING",
  finalizing: "RUNNING",
  completed: "SUCCESS",
  failed: "FAILED",
  expired: "TIMEOUT_EXCEEDED",
  cancelled: "CANCELLED",
};

const CANCELLING = "CANCELLATION_REQUESTED";
export const JOB_STATUSES = [...new Set(Object.values(STATUS)), CANCELLING];

/** The batch job of Mistral's API, without its results. */
export function toMistralJob(batch: BatchRecord, cancelledAt: number | null) {
  const { counts, reachedAt, status } = batch;
  const isCancelling = cancelledAt !== null && !isOver(batch);
  const endedAt = isOver(batch) ? (reachedAt[status] ?? null) : null;
  return {
    id: batch.id,
    object: "batch",
    input_files: batch.inputFileIds,
    endpoint: batch.endpoint,
    model: batch.model,
    agent_id: null,
    metadata: batch.metadata,
    output_file: isOver(batch) ? batch.outputFileId : null,
    error_file: isOver(batch) ? batch.errorFileId : null,
    outputs: null,
    errors: countedMessages(batch),
    status: isCancelling ? CANCELLING : STATUS[status],
    created_at: batch.createdAt,
    started_at: reachedAt.in_progress ?? null,
    completed_at: endedAt,
    total_requests: counts.total,
    completed_requests: counts.completed + counts.failed,
    succeeded_requests: counts.completed,
    failed_requests: counts.failed,
  };
}

function countedMessages({ problems }: BatchRecord) {
  const counts = new Map<string, number>();
  for (const { message } of problems) counts.set(message, (counts.get(message) ?? 0) + 1);
  return [...counts].map(([message, count]) => ({ message, count }));
}
