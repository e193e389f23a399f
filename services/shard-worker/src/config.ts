import { availableParallelism } from "node:os";
import {
  type ConfigOf,
  hostSchema,
  kvTypeSchema,
  logLevelSetting,
  portSchema,
  type Settings,
  simulationSchema,
} from "@rhone/common";
import { z } from "zod";

const address = z.string().regex(/^.+:\d+$/, "must be host:port");

export const shardWorkerSettings = {
  coordinator: {
    env: "RHONE_COORDINATOR",
    schema: address.default("127.0.0.1:7100"),
    doc: "The coordinator's host:port.",
  },
  host: { env: "RHONE_HOST", schema: hostSchema, doc: "The address to bind." },
  port: { env: "RHONE_WORKER_PORT", schema: portSchema.default(0), doc: "gRPC port for frames; 0 = any." },
  advertiseHost: {
    env: "RHONE_ADVERTISE_HOST",
    schema: z.string().min(1).optional(),
    doc: "The host name at which the neighbouring stages reach this worker; default: host.",
  },
  opsPort: {
    env: "RHONE_OPS_PORT",
    schema: portSchema.default(0),
    doc: "HTTP port for health and metrics; 0 = any.",
  },
  threads: {
    env: "RHONE_THREADS",
    schema: z.coerce.number().int().min(1).max(512).default(availableParallelism()),
    doc: "Number of threads that compute; default: all cores.",
  },
  memory: {
    env: "RHONE_MEMORY",
    schema: z.coerce.number().int().min(1).optional(),
    doc: "Bytes for weights and K/V pages; default: 90 % of the memory that is free at start.",
  },
  device: { env: "RHONE_DEVICE", schema: z.string().min(1).default("CPU"), doc: "A device that ggml reports." },
  modelsDir: {
    env: "RHONE_MODELS_DIR",
    schema: z.string().min(1).optional(),
    doc: "The folder of the model files, for when the coordinator's path does not exist here.",
  },
  simulate: {
    env: "RHONE_SIMULATE",
    schema: simulationSchema.optional(),
    doc: "Compute nothing: null, or stage-ms=<n> and row-bytes=<n>, separated by a comma. The coordinator needs --simulated true.",
  },
  logLevel: logLevelSetting,
  ggmlDir: {
    env: "RHONE_GGML_DIR",
    schema: z.string().min(1).optional(),
    doc: "A directory with llama.cpp's libraries, in place of the installed ones.",
  },
} as const satisfies Settings;

export type ShardWorkerConfig = ConfigOf<typeof shardWorkerSettings>;

/** Settings of calibrate-main, the process that times layers for `rhone plan`. */
export const calibrationSettings = {
  modelPath: { env: "RHONE_MODEL_PATH", schema: z.string().min(1), doc: "The GGUF file." },
  layers: { env: "RHONE_LAYERS", schema: z.coerce.number().int().min(1), doc: "Number of layers to time." },
  kvType: { env: "RHONE_KV_TYPE", schema: kvTypeSchema.default("f16"), doc: "f16, f32 or q8_0." },
  slidingWindow: {
    env: "RHONE_SLIDING_WINDOW",
    schema: z.coerce.number().int().min(0).default(0),
    doc: "Positions that a token sees, itself included; 0 = all.",
  },
  threads: shardWorkerSettings.threads,
  device: shardWorkerSettings.device,
  logLevel: shardWorkerSettings.logLevel,
  ggmlDir: shardWorkerSettings.ggmlDir,
} as const satisfies Settings;
