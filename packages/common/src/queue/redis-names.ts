import type { GenerationEvent } from "./generation-event.js";
import type { GenerationJob } from "./generation-job.js";

/** The prefix that every key of ours carries. */
export const REDIS_PREFIX = "rhone";

/** One queue per lane, so that however many batch jobs wait, none stands before an interactive one. */
export const QUEUE_NAMES: Readonly<Record<GenerationJob["lane"], string>> = {
  interactive: "generate",
  batch: "generate-batch",
};

/** Stream: a request's token log. Entry id = `${ordinal + 1}-0`, so Redis itself refuses to write an ordinal twice. */
export const tokenLogKey = (requestId: string): string => `${REDIS_PREFIX}:log:${requestId}`;
export const tokenLogEntryId = (ordinal: number): string => `${ordinal + 1}-0`;

/** The one field of a token log entry: the GenerationEvent as JSON. */
export const TOKEN_LOG_FIELD = "event";

/** Channel: a JSON array of GenerationEvents for one gateway. */
export const eventsChannel = (gatewayId: string): string => `${REDIS_PREFIX}:events:${gatewayId}`;

/** Channel: a request id to cancel. The key beside it holds for coordinators that take the job later. */
export const CANCEL_CHANNEL = `${REDIS_PREFIX}:cancel`;
export const cancelledKey = (requestId: string): string => `${REDIS_PREFIX}:cancelled:${requestId}`;

/** Key: what a gateway needs to write a streamed request's answer once more. */
export const streamKey = (id: string): string => `${REDIS_PREFIX}:stream:${id}`;

/** Hash: API keys as JSON, by their ids. */
export const API_KEYS_KEY = `${REDIS_PREFIX}:api-keys`;
/** Prefix of the counters of requests and tokens, which go on with the caller's name. */
export const LIMIT_PREFIX = `${REDIS_PREFIX}:limit`;
/** Key: what became of the request with an Idempotency-Key; `digest` is of the caller's name and that key. */
export const idempotentKey = (digest: string): string => `${REDIS_PREFIX}:idempotent:${digest}`;

/** Key: a coordinator's ClusterStatus as JSON, with a short time to live. */
export const statusKey = (coordinatorId: string): string => `${REDIS_PREFIX}:status:${coordinatorId}`;
/** Set of coordinator ids that ever published a status. */
export const COORDINATORS_KEY = `${REDIS_PREFIX}:coordinators`;

/** Seconds a finished request's log stays readable, and an unfinished one's at most. */
export const FINISHED_LOG_TTL_S = 600;
export const OPEN_LOG_TTL_S = 24 * 3600;

export const encodeEvents = (events: readonly GenerationEvent[]): string => JSON.stringify(events);
export const decodeEvents = (message: string): readonly GenerationEvent[] => JSON.parse(message);
export const decodeEvent = (entry: string): GenerationEvent => JSON.parse(entry);
