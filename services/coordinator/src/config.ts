import {
  activationTypeSchema,
  booleanSchema,
  type ConfigOf,
  hostSchema,
  kvTypeSchema,
  logLevelSetting,
  portSchema,
  redisUrlSchema,
  type Settings,
} from "@rhone/common";
import { SERVING_DEFAULTS } from "@rhone/planner";
import { z } from "zod";

const count = (least: number, otherwise: number) => z.coerce.number().int().min(least).default(otherwise);
const seconds = (otherwise: number) => z.coerce.number().positive().default(otherwise);

export const coordinatorSettings = {
  host: { env: "RHONE_HOST", schema: hostSchema, doc: "The address to bind." },
  port: { env: "RHONE_COORDINATOR_PORT", schema: portSchema.default(7100), doc: "gRPC port for workers; 0 = any." },
  advertiseHost: {
    env: "RHONE_ADVERTISE_HOST",
    schema: z.string().min(1).optional(),
    doc: "The host name under which the last stage reaches this coordinator; default: host.",
  },
  opsPort: {
    env: "RHONE_OPS_PORT",
    schema: portSchema.default(7101),
    doc: "HTTP port for health and metrics; 0 = any.",
  },
  redisUrl: { env: "REDIS_URL", schema: redisUrlSchema, doc: "A redis://, rediss:// or unix:// URL." },
  modelPath: { env: "RHONE_MODEL_PATH", schema: z.string().min(1), doc: "The GGUF file to serve." },
  modelName: {
    env: "RHONE_MODEL_NAME",
    schema: z.string().min(1).optional(),
    doc: "The name that clients ask for; default: the file's.",
  },
  workers: { env: "RHONE_WORKERS", schema: count(1, 1), doc: "Stages: how many workers to wait for, 1 to the layers." },
  kvType: { env: "RHONE_KV_TYPE", schema: kvTypeSchema.default("f16"), doc: "f16, f32 or q8_0." },
  activationType: {
    env: "RHONE_ACTIVATION_TYPE",
    schema: activationTypeSchema.optional(),
    doc: "f16 or f32 between stages; default f16, f32 with f32 pages.",
  },
  slidingWindow: {
    env: "RHONE_SLIDING_WINDOW",
    schema: z.coerce.number().int().min(0).optional(),
    doc: "Positions a token sees, 0 = all; default: what the model says.",
  },
  context: {
    env: "RHONE_CONTEXT",
    schema: z.coerce.number().int().min(2).optional(),
    doc: `Most positions per sequence; default: the model's, at most ${SERVING_DEFAULTS.contextLimit}.`,
  },
  pageSize: { env: "RHONE_PAGE_SIZE", schema: count(1, SERVING_DEFAULTS.pageSize), doc: "Positions per K/V page." },
  kvPages: {
    env: "RHONE_KV_PAGES",
    schema: z.coerce.number().int().min(1).optional(),
    doc: "K/V pages; default: what memory allows and the sequences can use.",
  },
  maxSequences: {
    env: "RHONE_MAX_SEQUENCES",
    schema: count(1, SERVING_DEFAULTS.maxSequences),
    doc: "Most sequences at a time.",
  },
  maxRows: {
    env: "RHONE_MAX_ROWS",
    schema: count(1, SERVING_DEFAULTS.maxRows),
    doc: "Most tokens per step, prompts and answers together.",
  },
  targetItl: {
    env: "RHONE_TARGET_ITL",
    schema: z
      .union([z.enum(["auto", "off"]), z.coerce.number().positive()], "auto, off or milliseconds")
      .default("auto"),
    doc: "Gap between a stream's tokens that prompts may cause, in ms; auto: 1.6 times what it is without; off: any.",
  },
  speculate: {
    env: "RHONE_SPECULATE",
    schema: z.coerce.number().int().min(0).max(32).default(0),
    doc: "Most tokens guessed ahead per sequence and step from its own text (prompt lookup); 0 = off.",
  },
  recoveryTimeout: {
    env: "RHONE_RECOVERY_TIMEOUT",
    schema: seconds(120),
    doc: "Seconds that requests wait for a lost pipeline.",
  },
  stepTimeout: {
    env: "RHONE_STEP_TIMEOUT",
    schema: seconds(120),
    doc: "Seconds without any progress after which a pipeline counts as stuck.",
  },
  simulated: {
    env: "RHONE_SIMULATED",
    schema: booleanSchema.default(false),
    doc: "true: take simulated workers, and no others; their tokens mean nothing.",
  },
  logLevel: logLevelSetting,
  ggmlDir: {
    env: "RHONE_GGML_DIR",
    schema: z.string().min(1).optional(),
    doc: "A directory with llama.cpp's libraries, instead of the installed ones.",
  },
} as const satisfies Settings;

export type CoordinatorConfig = ConfigOf<typeof coordinatorSettings>;
