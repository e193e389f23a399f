import { availableParallelism } from "node:os";
import { type ConfigOf, hostSchema, logLevelSetting, portSchema, type Settings, simulationSchema } from "@rhone/common";
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
    doc: "The host name under which the neighbouring stages reach this worker; default: host.",
  },
  opsPort: {
    env: "RHONE_OPS_PORT",
    schema: portSchema.default(0),
    doc: "HTTP port for health and metrics; 0 = any.",
  },
  threads: {
    env: "RHONE_THREADS",
    schema: z.coerce.number().int().min(1).max(512).default(availableParallelism()),
    doc: "Threads that compute; default: all cores.",
  },
  memory: {
    env: "RHONE_MEMORY",
    schema: z.coerce.number().int().min(1).optional(),
    doc: "Bytes for weights and pages; default: 90 % of the memory that is free at start.",
  },
  device: { env: "RHONE_DEVICE", schema: z.string().min(1).default("CPU"), doc: "A device that ggml reports." },
  modelsDir: {
    env: "RHONE_MODELS_DIR",
    schema: z.string().min(1).optional(),
    doc: "Where model files lie when the coordinator's path does not exist here.",
  },
  simulate: {
    env: "RHONE_SIMULATE",
    schema: simulationSchema.optional(),
    doc: "Compute nothing: null, or stage-ms=<n> and row-bytes=<n>, separated by a comma. The coordinator must allow it.",
  },
  logLevel: logLevelSetting,
  ggmlDir: {
    env: "RHONE_GGML_DIR",
    schema: z.string().min(1).optional(),
    doc: "A directory with llama.cpp's libraries, instead of the installed ones.",
  },
} as const satisfies Settings;

export type ShardWorkerConfig = ConfigOf<typeof shardWorkerSettings>;
