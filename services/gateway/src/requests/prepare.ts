import { type ClusterStatus, type GenerationJob, type Lane, type TraceSpan, timed } from "@rhone/common";
import type { FrameOptions } from "../answers/answer-frame.js";
import type { Writer } from "../answers/writer.js";
import type { WriterRecord } from "../answers/writer-record.js";
import type { GatewayModel, ServedModels } from "../models/served-models.js";
import { refuseParam } from "../request-error.js";
import type { TextModel } from "../text/text-model.js";
import type { GenerationFields } from "./request-fields.js";
import { type JobPlan, toJobs } from "./to-jobs.js";

/** How a request arrived: everything that its body does not say. */
export interface Arrival {
  /** The tail of the request's id. Requests with equal ids are the same generation. */
  readonly id: string;
  readonly lane: Lane;
  /** The name of the API key; "" where no keys are required. */
  readonly owner: string;
  /** Unix milliseconds. */
  readonly arrivedAtMs: number;
  /** Unix milliseconds. */
  readonly deadlineAtMs: number;
  /** What its preparation is a part of; null and absent: it is not traced. */
  readonly span?: TraceSpan | null;
}

/** A request that was read, checked and tokenized, and is ready to run. */
export interface PreparedRequest {
  readonly jobs: readonly GenerationJob[];
  /** Whether the request itself limits the tokens of its answer. */
  readonly statesLimit: boolean;
  readonly stream: boolean;
  readonly writer: Writer;
  /** What another gateway builds the writer from; undefined for an answer that cannot be streamed. */
  readonly record?: WriterRecord;
  /** The stream's events have ids, and generation goes on when the client leaves. */
  readonly resumable: boolean;
  /** The most that the answer may take in memory until its end. */
  readonly answerBytes: number;
  /** Most jobs that are queued or running at a time; all of them when absent. */
  readonly atOnce?: number;
}

/** What preparing a request takes. */
export interface Preparation {
  readonly models: Pick<ServedModels, "find" | "findReady">;
  /** Where events are sent. */
  readonly gatewayId: string;
}

/** Reads a body. Throws INVALID_REQUEST and its kin, MODEL_NOT_FOUND, NO_PIPELINE and REDIS_UNAVAILABLE. */
export type Prepare = (preparation: Preparation, body: unknown, arrival: Arrival) => Promise<PreparedRequest>;

/** A request whose fields were read, with the model that it names and the status of a coordinator of it. */
export interface OpenRequest {
  readonly preparation: Preparation;
  readonly model: TextModel;
  readonly grammars: GatewayModel["grammars"];
  readonly arrival: Arrival;
  /** What the request's id begins with, its separator included: "chatcmpl-", "cmpl-", "embd-". */
  readonly prefix: string;
  readonly fields: GenerationFields;
  readonly coordinator: ClusterStatus;
}

type FieldsRead = Pick<OpenRequest, "preparation" | "arrival" | "prefix" | "fields">;

/**
 * Finds the request's model and a coordinator of it, which may take some seconds. Throws INVALID_REQUEST,
 * MODEL_NOT_FOUND, NO_PIPELINE and REDIS_UNAVAILABLE.
 */
export async function openRequest(request: FieldsRead): Promise<OpenRequest> {
  checkStreaming(request.fields);
  const { preparation, fields, arrival } = request;
  const { text, grammars, coordinator } = await timed(arrival.span, "find model", () =>
    preparation.models.findReady(fields.model, arrival.owner),
  );
  return { ...request, model: text, grammars, coordinator };
}

/** The request's jobs, one per sample. Throws INVALID_REQUEST and CONTEXT_LENGTH_EXCEEDED. */
export function jobsOf({ preparation, model, arrival, prefix, fields, coordinator }: OpenRequest, plan: JobPlan) {
  const { contextLength, name } = coordinator.model;
  return toJobs({
    id: prefix + arrival.id,
    model: name,
    replyTo: preparation.gatewayId,
    arrival,
    fields,
    plan,
    limits: { contextLength, vocabSize: model.vocabSize },
  });
}

/** The writer options that follow from the fields and the model, the same for every endpoint. */
export function frameOf(
  { model, arrival, prefix, fields, coordinator }: OpenRequest,
  warnings: FrameOptions["warnings"] = [],
): FrameOptions {
  const { stream_options: streaming } = fields;
  return {
    id: prefix + arrival.id,
    created: Math.floor(arrival.arrivedAtMs / 1000),
    modelName: fields.model ?? model.name,
    fingerprint: systemFingerprint(coordinator),
    wantsTokenIds: fields.return_token_ids === true,
    tokensAsIds: fields.return_tokens_as_token_ids === true,
    showsSpecial: fields.skip_special_tokens === false,
    runningUsage: streaming?.continuous_usage_stats === true,
    usageChunk: streaming?.include_usage === true,
    ...(streaming?.include_usage === false && { hidesUsage: true }),
    warnings,
  };
}

/** Throws INVALID_REQUEST. */
function checkStreaming({ stream, stream_options: options }: GenerationFields): void {
  if (options === undefined) return;
  if (stream !== true) refuseParam("stream_options", " needs stream: true; leave it out.");
  if (options.include_usage === false && options.continuous_usage_stats === true)
    refuseParam("stream_options.continuous_usage_stats", " and include_usage: false exclude each other.");
}

/** How a request wants its answer sent. */
export const deliveryOf = ({ stream, stream_options: streaming }: GenerationFields) => ({
  stream: stream === true,
  resumable: streaming?.resumable === true,
});

/** The last `most` ids of a prompt; all of them when undefined. */
export const truncatePrompt = (ids: readonly number[], most: number | undefined): readonly number[] =>
  most === undefined ? ids : ids.slice(-most);

/** Changes when the weights do. */
const systemFingerprint = ({ model, simulated }: ClusterStatus): string =>
  simulated ? "fp_simulated" : `fp_${model.fingerprint.slice(0, 12)}`;
