import { MOST_WINDOW_HOURS, WINDOW_SYNTAX, windowSeconds } from "@rhone/common";
import { z } from "zod";
import { anyObject, entriesOf, listInTurns, listOf } from "../requests/long-fields.js";
import { modelName, optional, truthText, wholeText } from "../requests/request-fields.js";
import { BATCH_ENDPOINT_PATHS } from "./batch-record.js";
import { JOB_STATUSES } from "./batch-views.js";

const endpoint = z.enum(BATCH_ENDPOINT_PATHS);

const metadata = entriesOf(z.record(z.string().min(1).max(64), z.string().max(512)), 16);

/** As it was sent, and in seconds. */
const completionWindow = z
  .string()
  .meta({ description: `In ${WINDOW_SYNTAX}.`, examples: ["24h", "90m"] })
  .transform((text, context) => {
    const seconds = windowSeconds(text);
    if (seconds !== null) return { text, seconds };
    context.addIssue({ code: "custom", message: `must be ${WINDOW_SYNTAX}` });
    return z.NEVER;
  });

/** When a file expires: 1 hour to 30 days after it was created. */
export const expiresAfterSchema = z.object({
  anchor: z.literal("created_at"),
  seconds: wholeText(3600, 2_592_000),
});

/** POST /v1/batches. */
export const batchRequestSchema = z.object({
  input_file_id: z.string(),
  endpoint,
  completion_window: completionWindow,
  metadata: optional(metadata),
  output_expires_after: optional(expiresAfterSchema),
});

const inlineRequest = z.object({
  custom_id: optional(z.string().min(1).max(512)),
  body: anyObject,
});

const isFilled = (items: readonly unknown[]): boolean => items.length > 0;

/** POST /v1/batch/jobs. */
export const batchJobRequestSchema = z.object({
  input_files: optional(listOf(z.string().max(64), 100).refine(isFilled, "must name at least one file")),
  requests: optional(listInTurns(inlineRequest, 10_000).refine(isFilled, "must hold at least one request")),
  endpoint,
  model: modelName,
  metadata: optional(metadata),
  timeout_hours: optional(z.number().int().min(1).max(MOST_WINDOW_HOURS)),
});
export type BatchJobRequest = z.infer<typeof batchJobRequestSchema>;

/** A date, a time, its offset. A + that was not escaped in a query is a blank. */
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+ -]\d\d:?\d\d)?)?$/i;
/** Since 1973: a year alone is no second of 1970. */
const SECONDS = /^\d{9,11}(\.\d{1,9})?$/;

/** Unix milliseconds; null: it is no date. Without an offset, UTC: local times would differ between gateways. */
function dateMs(text: string): number | null {
  if (SECONDS.test(text)) return Number(text) * 1000;
  const [, day, time = "00:00", offset = "Z"] = DATE.exec(text) ?? [];
  if (day === undefined || new Date(`${day}T00:00Z`).toJSON()?.slice(0, day.length) !== day) return null;
  const ms = Date.parse(
    `${day}T${time}${offset
      .replace(" ", "+")
      .replace(/(\d\d)(\d\d)$/, "$1:$2")
      .toUpperCase()}`,
  );
  return Number.isNaN(ms) ? null : ms;
}

const date = z
  .string()
  .meta({
    description: "A date or a time of ISO 8601, UTC without an offset, or Unix seconds.",
    examples: ["2026-11-26"],
  })
  .transform((text, context) => {
    const ms = dateMs(text);
    if (ms !== null) return new Date(ms);
    context.addIssue({ code: "custom", message: "must be a date of ISO 8601, such as 2026-11-26, or Unix seconds" });
    return z.NEVER;
  });

const jobStatus = z.enum(JOB_STATUSES);

const ids = { file: /^file-[0-9a-f]{24}$/, batch: /^batch_[0-9a-f]{24}$/ };

/** A page may go on behind what was deleted since, but not behind what never was. */
const idOf = (kind: keyof typeof ids) => z.string().regex(ids[kind], `must be the id of a ${kind}`);

/** GET /v1/files: OpenAI's `after` and `limit`, or Mistral's pages. */
export const fileListSchema = z.object({
  purpose: optional(z.string()),
  limit: optional(wholeText(1, 10_000)),
  order: optional(z.enum(["asc", "desc"])),
  after: optional(idOf("file")),
  page: optional(wholeText(0)),
  page_size: optional(wholeText(1, 10_000)),
});

/** GET /v1/batches. */
export const batchListSchema = z.object({
  after: optional(idOf("batch")),
  limit: optional(wholeText(1, 100)),
});

/** GET /v1/batch/jobs/:id. */
export const batchJobQuerySchema = z.object({ inline: optional(truthText) });

/** GET /v1/batch/jobs. */
export const batchJobListSchema = z.object({
  page: optional(wholeText(0)),
  page_size: optional(wholeText(1, 1000)),
  model: optional(z.string()),
  status: optional(z.union([jobStatus.transform((status) => [status]), z.array(jobStatus)])),
  created_after: optional(date),
  order_by: optional(z.enum(["created", "-created"])),
});
