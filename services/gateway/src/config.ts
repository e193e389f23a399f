import { randomUUID } from "node:crypto";
import {
  booleanSchema,
  type ConfigOf,
  ggmlDirSetting,
  hostPortSchema,
  hostSchema,
  hostSetting,
  hungAfterSetting,
  logLevelSetting,
  portSchema,
  redisFileSettings,
  redisUrlSetting,
  type Settings,
  securitySettings,
  tracingSettings,
  weightsDirSetting,
  weightsFromSetting,
} from "@rhone/common";
import { z } from "zod";
import { admissionSettings } from "./admission/admission-settings.js";
import { batchSettings } from "./batches/batch-settings.js";
import { listSchema, modelSettings } from "./models/model-settings.js";
import { responseSettings } from "./responses/response-settings.js";
import { storageSettings } from "./storage/storage-settings.js";

const MiB = 1024 * 1024;
const DAY_S = 24 * 3600;

const count = (least: number) => z.coerce.number().int().min(least);

export const gatewaySettings = {
  host: hostSetting,
  port: { env: "RHONE_GATEWAY_PORT", schema: portSchema.default(8080), doc: "The HTTP port. 0 = any free one." },
  opsless: {
    env: "RHONE_OPSLESS",
    schema: booleanSchema.default(false),
    doc: "true = do not serve /metrics, /metrics/targets and /status on the HTTP port.",
  },
  vllmMetrics: {
    env: "RHONE_VLLM_METRICS",
    schema: booleanSchema.default(true),
    doc:
      "true = /metrics has the series of vLLM's dashboards, autoscalers and endpoint pickers, too, under their names; " +
      "false = Rhone's own alone.",
  },
  advertiseHost: {
    env: "RHONE_ADVERTISE_HOST",
    schema: hostSchema.optional(),
    doc: "Host name at which Prometheus reaches this gateway, for /metrics/targets.",
    defaultText: "--host, or this machine's name where that is every interface",
  },
  console: {
    env: "RHONE_CONSOLE",
    schema: booleanSchema.default(true),
    doc: "false = do not serve the console (/console), nor what it is made from. --opsless leaves it out, too.",
  },
  redisUrl: redisUrlSetting,
  ...redisFileSettings,
  ...modelSettings,
  weightsFrom: weightsFromSetting,
  weightsDir: weightsDirSetting,
  ...securitySettings,
  requestTimeoutMs: {
    env: "RHONE_REQUEST_TIMEOUT_MS",
    schema: count(1)
      .max(DAY_S * 1000)
      .default(600_000),
    doc: "Longest time for a request, queueing included, in milliseconds; x-request-timeout may shorten it.",
  },
  ...admissionSettings,
  corsOrigins: {
    env: "RHONE_CORS_ORIGINS",
    schema: listSchema,
    doc: "Origins whose web pages may call this gateway, separated by commas; * = any.",
  },
  allowedHosts: {
    env: "RHONE_ALLOWED_HOSTS",
    schema: listSchema,
    doc:
      "Names by which a gateway answers that needs no API keys, besides localhost, addresses and names without a dot, " +
      "separated by commas, such as those that a proxy passes on; * = any.",
    defaultText: "on a loopback address none, elsewhere any",
  },
  encodeTimeoutMs: {
    env: "RHONE_ENCODE_TIMEOUT_MS",
    schema: count(100).max(60_000).default(5_000),
    doc: "Longest processor time for applying the chat template and tokenizing one request, in milliseconds.",
  },
  encodingsWaiting: {
    env: "RHONE_ENCODINGS_WAITING",
    schema: count(1).default(256),
    doc: "Requests whose texts may wait to be tokenized, short and long ones each, before others are refused with 503.",
  },
  grammarTimeoutMs: {
    env: "RHONE_GRAMMAR_TIMEOUT_MS",
    schema: count(100).max(60_000).default(2_500),
    doc: "Longest processor time for writing, compiling and trying out a request's grammar, in milliseconds.",
  },
  grammarMemory: {
    env: "RHONE_GRAMMAR_MEMORY",
    schema: count(32 * MiB).default(256 * MiB),
    doc: "Most bytes of the grammar engine for one grammar, the vocabulary included.",
  },
  grammarsWaiting: {
    env: "RHONE_GRAMMARS_WAITING",
    schema: count(1).default(64),
    doc: "Grammars that may wait to be tried out before further requests are refused with 503.",
  },
  turnWaitMs: {
    env: "RHONE_TURN_WAIT_MS",
    schema: count(100).max(600_000).default(30_000),
    doc: "How long a request waits for its text's or grammar's turn, or its answer's room, before a 503, in milliseconds.",
  },
  maxQueued: {
    env: "RHONE_MAX_QUEUED",
    schema: count(1).default(10_000),
    doc:
      "Choices that may wait for a coordinator, of each model in each lane, before further ones are refused with 429. " +
      "An API key has no more of these places than it leaves free.",
  },
  queuedBytes: {
    env: "RHONE_QUEUED_BYTES",
    schema: count(12 * MiB).default(128 * MiB),
    doc:
      "Bytes of unfinished choices above 16 KiB, in Redis, before further ones are refused with 429. " +
      "An API key has no more of them than it leaves free.",
  },
  pipelineWaitMs: {
    env: "RHONE_PIPELINE_WAIT_MS",
    schema: count(0).max(600_000).default(10_000),
    doc:
      "How long after its pipeline was last ready, or after the gateway's start, a model's new requests wait for " +
      "another one, in milliseconds, before they are refused with 503.",
  },
  socket: {
    env: "RHONE_GATEWAY_SOCKET",
    schema: z.enum(["own", "kept", "given"]).default("own"),
    doc:
      "own = open the HTTP port; kept = and give the launcher a copy of the socket; given = listen on that copy, as " +
      "`rhone up` has the next gateway do.",
  },
  drainTimeoutMs: {
    env: "RHONE_DRAIN_TIMEOUT_MS",
    schema: count(0)
      .max(DAY_S * 1000)
      .default(600_000),
    doc:
      "Longest time for running requests to finish after SIGTERM, in milliseconds; a second SIGTERM ends it. A " +
      "supervisor has to wait 20 s longer before it kills.",
  },
  bodyLimitBytes: {
    env: "RHONE_BODY_LIMIT_BYTES",
    schema: count(1024).default(8 * MiB),
    doc: "Largest request body, and longest line of a batch, in bytes.",
  },
  bodiesBytes: {
    env: "RHONE_BODIES_BYTES",
    schema: count(1024).default(64 * MiB),
    doc: "Bytes of bodies above 64 KiB that are received or prepared at a time; further ones are refused with 503.",
  },
  answersBytes: {
    env: "RHONE_ANSWERS_BYTES",
    schema: count(MiB).default(256 * MiB),
    doc:
      "Bytes that answers above 16 KiB, streams left out, may take until they are sent, log-probabilities packed; " +
      "further requests wait for --turn-wait-ms, then they are refused with 503. An API key has no more of them than " +
      "it leaves free.",
  },
  arrivalTimeoutMs: {
    env: "RHONE_ARRIVAL_TIMEOUT_MS",
    schema: count(1000)
      .max(DAY_S * 1000)
      .default(300_000),
    doc: "Longest time for a request to arrive, body or file included, in milliseconds.",
  },
  sendTimeoutMs: {
    env: "RHONE_SEND_TIMEOUT_MS",
    schema: count(1000)
      .max(DAY_S * 1000)
      .default(60_000),
    doc: "Longest time that a client may read nothing of its answer before its connection is closed, in milliseconds.",
  },
  pingIntervalMs: {
    env: "RHONE_PING_INTERVAL_MS",
    schema: count(0)
      .max(DAY_S * 1000)
      .default(15_000),
    doc:
      "A stream without an event for this long, in milliseconds, sends its headers and a comment, so that proxies keep " +
      "the connection of a client that waits; 0 = never.",
  },
  pingWholeAnswers: {
    env: "RHONE_PING_WHOLE_ANSWERS",
    schema: booleanSchema.default(false),
    doc:
      "true = whole answers get a blank at this interval, too. Their status is 200 from the first one on: a failure " +
      "behind it is an error in the body alone.",
  },
  mostConnections: {
    env: "RHONE_MOST_CONNECTIONS",
    schema: count(1).default(10_000),
    doc:
      "Most open connections of clients, or as many as the system's limit of open files leaves; a further one ends " +
      "the oldest without a request, of the address with most.",
  },
  mostPipelined: {
    env: "RHONE_MOST_PIPELINED",
    schema: count(1).default(4),
    doc: "Requests of one connection that may wait for their answers (HTTP/1.1 pipelining); one more closes it.",
  },
  streamReaders: {
    env: "RHONE_STREAM_READERS",
    schema: count(1).default(4),
    doc: "Clients that may read one stream again at a time, resumed or by an Idempotency-Key, before a 429.",
  },
  mostReaders: {
    env: "RHONE_MOST_READERS",
    schema: count(2).default(1024),
    doc: "Such readers of all streams; an API key has no more of them than it leaves free.",
  },
  joinAddress: {
    env: "RHONE_JOIN_ADDRESS",
    schema: hostPortSchema.optional(),
    doc: "host:port where machines join the cluster, for the command that the console shows; `rhone up --listen` sets it.",
    defaultText: "none",
  },
  liveReaders: {
    env: "RHONE_LIVE_READERS",
    schema: count(1).default(64),
    doc: "Clients that may follow /status/stream at a time; an API key has no more of them than it leaves free.",
  },
  streamRecordBytes: {
    env: "RHONE_STREAM_RECORD_BYTES",
    schema: count(4 * MiB).default(256 * MiB),
    doc:
      "Bytes of the records of resumable streams, in Redis. Beyond them the API key with the most gives up its " +
      "oldest, which can't be resumed any more.",
  },
  ...storageSettings,
  ...batchSettings,
  ...responseSettings,
  gatewayId: {
    env: "RHONE_GATEWAY_ID",
    schema: z
      .string()
      .regex(/^[\w-]{1,64}$/, "must be 1 to 64 letters, digits, _ or -")
      .default(() => randomUUID().slice(0, 8)),
    doc: "Name of this gateway's event channel; must be unique among gateways.",
    defaultText: "random",
  },
  ...tracingSettings,
  requestLog: {
    env: "RHONE_REQUEST_LOG",
    schema: booleanSchema.default(true),
    doc: "false = no line in the log for each request; with them, who asked for what, how long it took and its outcome.",
  },
  hungAfter: hungAfterSetting,
  logLevel: logLevelSetting,
  ggmlDir: ggmlDirSetting,
} as const satisfies Settings;

export type GatewayConfig = ConfigOf<typeof gatewaySettings>;
