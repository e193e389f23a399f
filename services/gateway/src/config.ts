import { randomUUID } from "node:crypto";
import {
  booleanSchema,
  type ConfigOf,
  hostSchema,
  logLevelSetting,
  portSchema,
  redisUrlSchema,
  type Settings,
} from "@rhone/common";
import { CHAT_TEMPLATE_NAMES } from "@rhone/model";
import { z } from "zod";
import { AUTH_MODES } from "./admission/key-ring.js";
import { storageLocationSchema } from "./storage/open-storage.js";

const MiB = 1024 * 1024;

const namesSchema = z
  .string()
  .default("")
  .transform((list) => list.split(",").flatMap((name) => name.trim() || []));

/** 0 means none. */
const limitSchema = z.coerce
  .number()
  .int()
  .min(0)
  .default(0)
  .transform((limit) => (limit === 0 ? null : limit));

export const gatewaySettings = {
  host: { env: "RHONE_HOST", schema: hostSchema, doc: "The address to bind." },
  port: { env: "RHONE_GATEWAY_PORT", schema: portSchema.default(8080), doc: "HTTP port; 0 = any." },
  opsless: {
    env: "RHONE_OPSLESS",
    schema: booleanSchema.default(false),
    doc: "true leaves /metrics and /status out of this port.",
  },
  redisUrl: { env: "REDIS_URL", schema: redisUrlSchema, doc: "A redis://, rediss:// or unix:// URL." },
  modelPath: {
    env: "RHONE_MODEL_PATH",
    schema: z.string().min(1),
    doc: "The GGUF file that is served; only its header and vocabulary are read.",
  },
  modelName: {
    env: "RHONE_MODEL_NAME",
    schema: z.string().min(1).optional(),
    doc: "The name that clients ask for; default: the coordinator's.",
  },
  modelAlias: {
    env: "RHONE_MODEL_ALIAS",
    schema: namesSchema,
    doc: "More names for the model, separated by commas.",
  },
  chatTemplate: {
    env: "RHONE_CHAT_TEMPLATE",
    schema: z.enum(CHAT_TEMPLATE_NAMES).optional(),
    doc: `One of ${CHAT_TEMPLATE_NAMES.join(", ")}; default: what the file asks for.`,
  },
  requestTimeoutMs: {
    env: "RHONE_REQUEST_TIMEOUT_MS",
    schema: z.coerce
      .number()
      .int()
      .min(1)
      .max(24 * 3600 * 1000)
      .default(600_000),
    doc: "Longest that a request may take, in milliseconds.",
  },
  auth: {
    env: "RHONE_AUTH",
    schema: z.enum(AUTH_MODES).default("auto"),
    doc: "keys: requests need an API key; off: they don't; auto: they do unless the address to bind is this machine's own.",
  },
  requestsPerMinute: {
    env: "RHONE_REQUESTS_PER_MINUTE",
    schema: limitSchema,
    doc: "Limit of each caller whose key has none of its own; 0 = none.",
  },
  tokensPerMinute: {
    env: "RHONE_TOKENS_PER_MINUTE",
    schema: limitSchema,
    doc: "The same in tokens of prompts and answers; 0 = none.",
  },
  idempotencyTtlS: {
    env: "RHONE_IDEMPOTENCY_TTL_S",
    schema: z.coerce
      .number()
      .int()
      .min(60)
      .max(7 * 24 * 3600)
      .default(24 * 3600),
    doc: "How long an answer is kept for requests with the same Idempotency-Key, in seconds.",
  },
  corsOrigins: {
    env: "RHONE_CORS_ORIGINS",
    schema: namesSchema,
    doc: "Origins whose web pages may call this gateway, separated by commas; * = any. Default: none.",
  },
  grammarTimeoutMs: {
    env: "RHONE_GRAMMAR_TIMEOUT_MS",
    schema: z.coerce.number().int().min(100).max(60_000).default(10_000),
    doc: "Longest that a grammar may take to be tried out before its request is refused, in milliseconds.",
  },
  maxQueued: {
    env: "RHONE_MAX_QUEUED",
    schema: z.coerce.number().int().min(1).default(10_000),
    doc: "Requests that may wait for a coordinator before more are refused with 429.",
  },
  drainTimeoutMs: {
    env: "RHONE_DRAIN_TIMEOUT_MS",
    schema: z.coerce.number().int().min(0).max(18_000).default(8_000),
    doc: "How long running requests may finish after SIGTERM, in milliseconds.",
  },
  bodyLimitBytes: {
    env: "RHONE_BODY_LIMIT_BYTES",
    schema: z.coerce
      .number()
      .int()
      .min(1024)
      .default(32 * MiB),
    doc: "Largest request body.",
  },
  storage: {
    env: "RHONE_STORAGE",
    schema: storageLocationSchema,
    doc: "Where files and batches are kept: a folder or s3://bucket/prefix; gateways that share a Redis share it.",
  },
  s3Endpoint: {
    env: "RHONE_S3_ENDPOINT",
    schema: z.url({ protocol: /^https?$/ }).optional(),
    doc: "The URL of an S3-compatible service; default: Amazon's.",
  },
  s3Region: {
    env: "AWS_REGION",
    schema: z.string().min(1).optional(),
    doc: "The bucket's region; default: where Amazon's SDK finds one, us-east-1 with --s3-endpoint.",
  },
  s3PathStyle: {
    env: "RHONE_S3_PATH_STYLE",
    schema: booleanSchema.optional(),
    doc: "true puts the bucket into the path, false into the host's name; default: true with --s3-endpoint.",
  },
  fileLimitBytes: {
    env: "RHONE_FILE_LIMIT_BYTES",
    schema: z.coerce
      .number()
      .int()
      .min(1024)
      .default(200 * MiB),
    doc: "Largest file of POST /v1/files.",
  },
  batchMostLines: {
    env: "RHONE_BATCH_MOST_LINES",
    schema: z.coerce.number().int().min(1).default(50_000),
    doc: "Most requests in a batch.",
  },
  batchLinesInFlight: {
    env: "RHONE_BATCH_LINES_IN_FLIGHT",
    schema: z.coerce.number().int().min(1).max(4096).default(128),
    doc: "Requests of one batch that are in the queue or running at a time.",
  },
  batchesAtOnce: {
    env: "RHONE_BATCHES_AT_ONCE",
    schema: z.coerce.number().int().min(0).max(64).default(4),
    doc: "Batches that this gateway runs at a time; 0 leaves them to others.",
  },
  gatewayId: {
    env: "RHONE_GATEWAY_ID",
    schema: z
      .string()
      .regex(/^[\w-]{1,64}$/, "must be 1 to 64 letters, digits, _ or -")
      .default(() => randomUUID().slice(0, 8)),
    doc: "Where events for this gateway are sent; unique among gateways. Default: random.",
  },
  logLevel: logLevelSetting,
  ggmlDir: {
    env: "RHONE_GGML_DIR",
    schema: z.string().min(1).optional(),
    doc: "A directory with llama.cpp's libraries, instead of the installed ones.",
  },
} as const satisfies Settings;

export type GatewayConfig = ConfigOf<typeof gatewaySettings>;
