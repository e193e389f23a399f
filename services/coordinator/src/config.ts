import {
  activationTypeSchema,
  booleanSchema,
  type ConfigOf,
  ggmlDirSetting,
  hostSchema,
  hostSetting,
  hungAfterSetting,
  kvTypeSchema,
  logLevelSetting,
  metricsTokenFileSetting,
  portSchema,
  redisFileSettings,
  redisUrlSetting,
  type Settings,
  securitySettings,
  tracingSettings,
  weightsDirSetting,
  weightsFromSetting,
  weightsRateSetting,
} from "@rhone/common";
import { SERVING_DEFAULTS } from "@rhone/planner";
import { z } from "zod";

const text = z.string().min(1);
const count = (least: number) => z.coerce.number().int().min(least);
const seconds = z.coerce.number().positive();

export const coordinatorSettings = {
  modelPath: {
    env: "RHONE_MODEL_PATH",
    schema: text.optional(),
    doc: "GGUF file to serve.",
    defaultText: "required without --weights-from",
  },
  weightsFrom: weightsFromSetting,
  modelName: {
    env: "RHONE_MODEL_NAME",
    schema: text.optional(),
    doc: "Model name for clients.",
    defaultText: "the file's",
  },
  workers: { env: "RHONE_WORKERS", schema: count(1).default(1), doc: "Stages: workers that share the layers." },
  grow: {
    env: "RHONE_GROW",
    schema: booleanSchema.default(false),
    doc:
      "true = workers that join later become stages too, up to one per layer, and --workers is the least; " +
      "false = workers beyond --workers are spares.",
  },
  spares: {
    env: "RHONE_SPARES",
    schema: count(0).default(0),
    doc:
      "Stages after its own whose weights each worker holds too, as far as its memory goes: the others serve on at once " +
      "when as many workers are lost.",
  },
  redisUrl: redisUrlSetting,
  ...redisFileSettings,
  host: hostSetting,
  port: {
    env: "RHONE_COORDINATOR_PORT",
    schema: portSchema.default(7100),
    doc: "gRPC port, for workers that join and for the last stage's results; 0 = any.",
  },
  advertiseHost: {
    env: "RHONE_ADVERTISE_HOST",
    schema: hostSchema.optional(),
    doc: "Host name at which the last stage reaches this coordinator.",
    defaultText: "--host",
  },
  opsPort: {
    env: "RHONE_OPS_PORT",
    schema: portSchema.default(7101),
    doc: "HTTP port of /health, /ready, /metrics and /status; 0 = any.",
  },
  kvType: {
    env: "RHONE_KV_TYPE",
    schema: kvTypeSchema.default("f16"),
    doc: "Type of the K/V pages: f16, f32 or q8_0.",
  },
  activationType: {
    env: "RHONE_ACTIVATION_TYPE",
    schema: activationTypeSchema.default("f32"),
    doc:
      "Type of the activations between stages: f32, f16 (half the bytes) or q8_0 (0.27 of them). Only f32 gives the " +
      "same answers on any number of workers.",
  },
  slidingWindow: {
    env: "RHONE_SLIDING_WINDOW",
    schema: count(0).optional(),
    doc: "Positions that a token attends to, itself included; 0 = all.",
    defaultText: "the model's",
  },
  context: {
    env: "RHONE_CONTEXT",
    schema: count(2).optional(),
    doc: "Most positions per sequence, prompt and answer together.",
    defaultText: `the model's, at most ${SERVING_DEFAULTS.contextLimit}`,
  },
  pageSize: {
    env: "RHONE_PAGE_SIZE",
    schema: count(1).default(SERVING_DEFAULTS.pageSize),
    doc: "Positions per K/V page.",
  },
  kvPages: {
    env: "RHONE_KV_PAGES",
    schema: count(1).optional(),
    doc: "K/V pages.",
    defaultText: "enough for --max-sequences whole sequences, within the workers' memory",
  },
  maxSequences: {
    env: "RHONE_MAX_SEQUENCES",
    schema: count(1).default(SERVING_DEFAULTS.maxSequences),
    doc: "Most sequences that run at a time.",
  },
  maxRows: {
    env: "RHONE_MAX_ROWS",
    schema: count(1).default(SERVING_DEFAULTS.maxRows),
    doc: "Most tokens per step, prompts and answers together.",
  },
  targetItl: {
    env: "RHONE_TARGET_ITL",
    schema: z
      .union([z.enum(["auto", "off"]), z.coerce.number().positive()], "must be auto, off or milliseconds")
      .default("auto"),
    doc:
      "Longest gap between a stream's tokens that prefill of other prompts may cause, in milliseconds; " +
      "auto = 1.6 times the gap without prompts, off = no limit.",
  },
  speculate: {
    env: "RHONE_SPECULATE",
    schema: count(0).max(32).default(0),
    doc: "Most tokens guessed ahead per sequence and step, from its own text (prompt lookup); 0 = off.",
  },
  recoveryTimeout: {
    env: "RHONE_RECOVERY_TIMEOUT",
    schema: seconds.default(120),
    doc: "Seconds that requests wait for a lost pipeline to come back.",
  },
  stepTimeout: {
    env: "RHONE_STEP_TIMEOUT",
    schema: seconds.default(120),
    doc: "Seconds without progress after which a pipeline counts as stuck.",
  },
  jobLock: {
    env: "RHONE_JOB_LOCK",
    schema: z.coerce.number().min(1).default(10),
    doc:
      "Seconds for which a request is a coordinator's own unless renewed, as it is at each half. Another continues the " +
      "requests of one that died or hangs after 3 s, by its lease; this is for those whose lease lives.",
  },
  openLogBytes: {
    env: "RHONE_OPEN_LOG_BYTES",
    schema: count(2 ** 20).default(512 * 2 ** 20),
    doc:
      "Bytes of unfinished requests' token logs in Redis; above them, the request with the longest of the API key with " +
      "the most ends with LOGS_FULL.",
  },
  finishedLogBytes: {
    env: "RHONE_FINISHED_LOG_BYTES",
    schema: count(0).default(256 * 2 ** 20),
    doc:
      "Bytes of finished requests' token logs that Redis keeps for their ten minutes; above them, the oldest of the API " +
      "key with the most are dropped, a minute after their end at the earliest.",
  },
  simulated: {
    env: "RHONE_SIMULATED",
    schema: booleanSchema.default(false),
    doc: "true accepts simulated workers and no others; their tokens mean nothing.",
  },
  weightsDir: weightsDirSetting,
  weightsRate: weightsRateSetting,
  ...securitySettings,
  metricsTokenFile: metricsTokenFileSetting,
  ...tracingSettings,
  hungAfter: hungAfterSetting,
  logLevel: logLevelSetting,
  ggmlDir: ggmlDirSetting,
} as const satisfies Settings;

export type CoordinatorConfig = ConfigOf<typeof coordinatorSettings>;
