import { type BatchRecord, isOver } from "./batch-record.js";

/** The batch object of OpenAI's API. `cancelledAt`: when somebody asked for that. */
export function toOpenAiBatch(batch: BatchRecord, cancelledAt: number | null) {
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
