import type { RhoneError } from "@rhone/common";
import { errorBody } from "../request-error.js";
import { type BatchEnding, NO_USAGE } from "./batch-record.js";
import type { LineResult } from "./result-log.js";

/** A line of a batch. */
export interface LinePlace {
  readonly batchId: string;
  readonly line: number;
  readonly customId: string;
}

interface Answer {
  readonly body: unknown;
  readonly usage: LineResult["usage"];
}

/** Unique among the lines of all batches, and the same for every attempt of a line. */
export const lineId = ({ batchId, line }: Pick<LinePlace, "batchId" | "line">): string =>
  `${batchId.slice("batch_".length)}-${line}`;

/** The result of a line that was answered. */
export function answeredLine(place: LinePlace, { body, usage }: Answer): LineResult {
  return { line: place.line, ok: true, usage, entry: entry(place, response(place, 200, body), null) };
}

/** The result of a line whose request failed, with the body of a failed single request. */
export function refusedLine(place: LinePlace, error: RhoneError): LineResult {
  const answer = response(place, error.row.http, errorBody(error));
  return { line: place.line, ok: false, usage: NO_USAGE, entry: entry(place, answer, null) };
}

const NOT_RUN: Readonly<
  Record<Exclude<BatchEnding, "completed">, { readonly code: string; readonly message: string }>
> = {
  expired: { code: "batch_expired", message: "The completion window ended before this request was answered." },
  cancelled: { code: "batch_cancelled", message: "The batch was cancelled before this request was answered." },
};

/** The entry of a line without a result because the batch ended first. */
export function unrunEntry(place: LinePlace, ending: Exclude<BatchEnding, "completed">): unknown {
  return entry(place, null, NOT_RUN[ending]);
}

function response(place: LinePlace, status: number, body: unknown) {
  return { status_code: status, request_id: `req_${lineId(place)}`, body };
}

function entry(place: LinePlace, answer: unknown, error: unknown) {
  return { id: `batch_req_${lineId(place)}`, custom_id: place.customId, response: answer, error };
}
