import type { GenerationJob } from "@rhone/common";
import { z } from "zod";
import type { ResponseStatus } from "../answers/response-object.js";
import { streamRecordSchema } from "../answers/stream-records.js";
import type { InputItem } from "../requests/responses/response-items.js";

export const RESPONSE_RECORD_VERSION = 1;

/** A response as clients get it; the fields that are read again here. */
export interface ResponseView {
  readonly id: string;
  readonly status: ResponseStatus;
  readonly background: boolean;
  readonly previous_response_id: string | null;
  readonly output: readonly OutputItem[];
}

export type OutputItem =
  | {
      readonly type: "message";
      readonly id: string;
      readonly content: readonly { readonly text: string; readonly logprobs: readonly unknown[] }[];
    }
  | {
      readonly type: "function_call";
      readonly id: string;
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;

/** What was written by a gateway is read again without a look at every item. */
export const responseRecordSchema = z.object({
  version: z.literal(RESPONSE_RECORD_VERSION),
  /** Who may read, continue and delete it. */
  owner: z.string(),
  /** The items of its request, without those of previous responses. */
  input: z.custom<readonly InputItem[]>(Array.isArray),
  response: z.custom<ResponseView>(isObject),
  /** From it any gateway can write the events again, while the token log lasts. */
  generation: streamRecordSchema.exactOptional(),
  /** Of a response in the background until its end: any gateway can submit it. */
  job: z.custom<GenerationJob>(isObject).exactOptional(),
  /** Of its key's limit, until the end of a response in the background: then what it did not use is given back. */
  reserved: z.object({ tokens: z.number(), limit: z.number(), endsAtMs: z.number() }).exactOptional(),
  /** How often it began again after an outage. Absent: a failure is final, as for one whose events are streamed. */
  attempt: z.number().exactOptional(),
});
export type ResponseRecord = Readonly<Omit<z.output<typeof responseRecordSchema>, "version">>;

export const isOver = ({ response: { status } }: ResponseRecord): boolean =>
  status !== "queued" && status !== "in_progress";

/** An unfinished response counts as lost this long after its deadline. */
const LOST_AFTER_MS = 60_000;

/** Nothing will finish it: its gateway died, and its token log is gone. */
export const isLost = (record: ResponseRecord): boolean =>
  !isOver(record) && Date.now() > (record.generation?.deadlineAtMs ?? Number.POSITIVE_INFINITY) + LOST_AFTER_MS;

/** The response with another job instead of one that failed: a failed id would fail again. */
export function begunAgain(record: ResponseRecord): ResponseRecord {
  const { job, generation, attempt = 0 } = record;
  if (job === undefined || generation === undefined) return record;
  const requestId = `${record.response.id}-0-r${attempt + 1}`;
  const jobs = generation.jobs.map((address) => ({ ...address, requestId }));
  return { ...record, attempt: attempt + 1, job: { ...job, requestId }, generation: { ...generation, jobs } };
}

/** What a model wrote, as the input of a later request. */
export function outputAsInput(item: OutputItem): InputItem {
  const status = "completed" as const;
  if (item.type === "function_call") {
    const { type, id, call_id, name, arguments: given } = item;
    return { type, id, status, call_id, name, arguments: given };
  }
  const content = item.content.map(({ text }) => ({ type: "output_text" as const, text }));
  return { type: "message", id: item.id, status, role: "assistant", content };
}
