import type { GenerationJob } from "./generation-job.js";

/**
 * The prefix of every key and channel of ours. By its braces Redis Cluster keeps all keys on one node, as scripts that
 * touch several of them need.
 */
export const REDIS_PREFIX = "{rhone}";

/** What Rhone needs of Redis, as rules of an ACL: its own keys and channels, and no command that rules the server. */
export const REDIS_ACL = [`~${REDIS_PREFIX}*`, `&${REDIS_PREFIX}*`, "+@all", "-@dangerous", "+info"] as const;

/**
 * Jobs that wait together: a model's in one lane. Waiting batch jobs never delay an interactive one, nor a model's jobs
 * another's.
 */
export type JobQueue = Pick<GenerationJob, "model" | "lane">;

/** Names may have any characters, and BullMQ's queues no ":". */
const ofModel = (name: string, { model }: JobQueue): string => `${name}/${encodeURIComponent(model)}`;

/** The name of BullMQ's queue: "generate/breeze", "generate-batch/breeze". */
export const queueName = (queue: JobQueue): string =>
  ofModel(queue.lane === "interactive" ? "generate" : "generate-batch", queue);

/** Hash: the turns of a queue's jobs, which are their priorities in BullMQ's queue; see turns.ts. */
export const turnsKey = (queue: JobQueue): string => ofModel(`${REDIS_PREFIX}:turns:${queue.lane}`, queue);

/** Sorted set: the waiting jobs of a queue, all or one API key's, by the milliseconds at which they took places. */
export const placesKey = (queue: JobQueue, keyId?: string): string =>
  ofModel(`${REDIS_PREFIX}:places:${queue.lane}`, queue) + (keyId === undefined ? "" : `:${keyId}`);

/** Hash: what each coordinator of a model has to do, by its id; see the coordinator's replica-loads.ts. */
export const loadsKey = (model: string): string => `${REDIS_PREFIX}:loads/${encodeURIComponent(model)}`;

/** Set: the links (prefix-links.ts) of the texts that a coordinator's prefix cache holds. */
export const prefixesKey = (model: string, coordinatorId: string): string =>
  `${REDIS_PREFIX}:prefixes/${encodeURIComponent(model)}@${coordinatorId}`;

/** Hash: how often each coordinator of a model has renewed its lease, by the lease's name; see lease.ts there. */
export const leasesKey = (model: string): string => `${REDIS_PREFIX}:leases/${encodeURIComponent(model)}`;

/** Key: BullMQ's lock of a job that a coordinator has taken. */
export const jobLockKey = (job: JobQueue & Pick<GenerationJob, "requestId">): string =>
  `${REDIS_PREFIX}:${queueName(job)}:${job.requestId}:lock`;

/** Hash: by waiting jobs, which coordinators are called for them; see the coordinator's hand-out.ts. */
export const callsKey = (queue: JobQueue): string => ofModel(`${REDIS_PREFIX}:calls:${queue.lane}`, queue);

/** Hash: by coordinators, the jobs that each was handed last; see the coordinator's hand-out.ts. */
export const handedKey = (queue: JobQueue): string => ofModel(`${REDIS_PREFIX}:handed:${queue.lane}`, queue);

/** Channel: the lane of which a coordinator shall take jobs. */
export const callChannel = (coordinatorId: string): string => `${REDIS_PREFIX}:call:${coordinatorId}`;

/** Stream: a request's token log. Entry ids are `${ordinal + 1}-0`, so Redis refuses a second write of an ordinal. */
export const tokenLogKey = (requestId: string): string => `${REDIS_PREFIX}:log:${requestId}`;
export const tokenLogEntryId = (ordinal: number): string => `${ordinal + 1}-0`;

/** The one field of a token log entry: the GenerationEvent as JSON. */
export const TOKEN_LOG_FIELD = "event";

/** Seconds that the log of a finished request stays readable, and that an unfinished one is kept at most. */
export const FINISHED_LOG_TTL_S = 600;
export const OPEN_LOG_TTL_S = 24 * 3600;

/** Channel: a JSON array of GenerationEvents for one gateway. */
export const eventsChannel = (gatewayId: string): string => `${REDIS_PREFIX}:events:${gatewayId}`;

/** Channel: the id of a request to cancel. The key tells the same to a coordinator that takes the job later. */
export const CANCEL_CHANNEL = `${REDIS_PREFIX}:cancel`;
export const cancelledKey = (requestId: string): string => `${REDIS_PREFIX}:cancelled:${requestId}`;

/** Key: what any gateway needs to write a streamed answer from its token log. */
export const streamKey = (id: string): string => `${REDIS_PREFIX}:stream:${id}`;
/** Key: the owner of such a stream and the number of its choices. */
export const streamHeadKey = (id: string): string => `${REDIS_PREFIX}:stream-head:${id}`;

/** Hash: API keys as JSON, by id. */
export const API_KEYS_KEY = `${REDIS_PREFIX}:api-keys`;

/** Prefix of the request and token counters; the caller's name follows. */
export const LIMIT_PREFIX = `${REDIS_PREFIX}:limit`;

/** Key: the answer to an Idempotency-Key; `digest` is of the caller's name and that key. */
export const idempotentKey = (digest: string): string => `${REDIS_PREFIX}:idempotent:${digest}`;

/** Key: a coordinator's ClusterStatus as JSON, with a short time to live. */
export const statusKey = (coordinatorId: string): string => `${REDIS_PREFIX}:status:${coordinatorId}`;

/** Set: ids of coordinators that may have a status. */
export const COORDINATORS_KEY = `${REDIS_PREFIX}:coordinators`;

/** Key: host:port of a gateway's HTTP server, with a short time to live. */
export const gatewayKey = (gatewayId: string): string => `${REDIS_PREFIX}:gateway:${gatewayId}`;

/** Set: ids of gateways that may have an address. */
export const GATEWAYS_KEY = `${REDIS_PREFIX}:gateways`;
