import type { Batch } from "@rhone/client";
import { formatTable, formatTime } from "../terminal/format.js";

/** "400 of 1000, 3 failed" */
export function describeCounts({ request_counts: { total, completed, failed } }: Batch): string {
  return `${completed + failed} of ${total}${failed === 0 ? "" : `, ${failed} failed`}`;
}

/** A batch with its files and problems, a line each. */
export function formatBatch(batch: Batch): string {
  const files = [
    ...(batch.output_file_id === null ? [] : [`output  ${batch.output_file_id}`]),
    ...(batch.error_file_id === null ? [] : [`errors  ${batch.error_file_id}`]),
  ];
  const problems = (batch.errors?.data ?? []).map(({ code, message }) => `${code}: ${message}`);
  return [`${batch.id}  ${batch.status}  ${describeCounts(batch)}  ${batch.endpoint}`, ...files, ...problems].join(
    "\n",
  );
}

/** One row per batch. */
export function formatBatches(batches: readonly Batch[]): string {
  const rows = batches.map((batch) => [
    batch.id,
    batch.status,
    describeCounts(batch),
    batch.endpoint,
    formatTime(batch.created_at),
  ]);
  return formatTable([["BATCH", "STATUS", "ANSWERED", "ENDPOINT", "CREATED (UTC)"], ...rows]);
}
