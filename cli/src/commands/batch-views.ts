import { type Batch, isOver } from "@rhone/client";
import type { CommandWriter } from "../config.js";
import { formatTable, formatTime } from "../terminal/format.js";

/** "400 of 1000, 3 failed" */
export function describeCounts({ request_counts: { total, completed, failed } }: Batch): string {
  return `${completed + failed} of ${total}${failed === 0 ? "" : `, ${failed} failed`}`;
}

const statusOf = (batch: Batch): string => (isResting(batch) ? "paused" : batch.status);

const isResting = (batch: Batch): boolean => batch.paused_at != null && !isOver(batch);

/** A batch with its files and problems, a line each. */
export function formatBatch(batch: Batch): string {
  const files = [
    ...(batch.output_file_id === null ? [] : [`output  ${batch.output_file_id}`]),
    ...(batch.error_file_id === null ? [] : [`errors  ${batch.error_file_id}`]),
  ];
  const problems = (batch.errors?.data ?? []).map(({ code, message }) => `${code}: ${message}`);
  return [`${batch.id}  ${statusOf(batch)}  ${describeCounts(batch)}  ${batch.endpoint}`, ...files, ...problems].join(
    "\n",
  );
}

/** What to do with a batch, a line each: wait for it, or get what it has. */
export function nextCommands(batch: Batch, rhone: CommandWriter): readonly string[] {
  const { id, output_file_id: output, error_file_id: errors } = batch;
  if (isResting(batch)) return [`To go on with it: ${rhone(`batch resume ${id}`)}`];
  if (!isOver(batch)) {
    return [`To wait for it: ${rhone(`batch wait ${id}`)}`, `Its answers then: ${rhone(`batch download ${id}`)}`];
  }
  return [
    ...(output === null ? [] : [`Answers: ${rhone(`batch download ${id}`)}`]),
    ...(errors === null ? [] : [`Lines that failed: ${rhone(`batch download ${id} --errors`)}`]),
  ];
}

/** One row per batch. */
export function formatBatches(batches: readonly Batch[]): string {
  const rows = batches.map((batch) => [
    batch.id,
    statusOf(batch),
    describeCounts(batch),
    batch.endpoint,
    formatTime(batch.created_at),
  ]);
  return formatTable([["BATCH", "STATUS", "DONE", "ENDPOINT", "CREATED (UTC)"], ...rows]);
}
