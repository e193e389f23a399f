import {
  availableCores,
  type ConfigOf,
  ggmlDirSetting,
  hostPortSchema,
  hostSchema,
  hostSetting,
  hungAfterSetting,
  kernelsSetting,
  kvTypeSchema,
  logLevelSetting,
  metricsTokenFileSetting,
  portSchema,
  type Settings,
  securitySettings,
  simulationSchema,
  weightsDirSetting,
  weightsRateSetting,
} from "@rhone/common";
import { DEFAULT_GRAMMAR_LIMITS } from "@rhone/grammar";
import { z } from "zod";

const text = z.string().min(1);
const count = (least: number) => z.coerce.number().int().min(least);

export const shardWorkerSettings = {
  coordinator: {
    env: "RHONE_COORDINATOR",
    schema: hostPortSchema.default("127.0.0.1:7100"),
    doc: "host:port of the coordinator; [::1]:7100 with IPv6.",
  },
  host: hostSetting,
  port: { env: "RHONE_WORKER_PORT", schema: portSchema.default(0), doc: "gRPC port for frames; 0 = any." },
  advertiseHost: {
    env: "RHONE_ADVERTISE_HOST",
    schema: hostSchema.optional(),
    doc: "Host name at which the neighbouring stages reach this worker.",
    defaultText: "--host",
  },
  opsPort: {
    env: "RHONE_OPS_PORT",
    schema: portSchema.default(0),
    doc: "HTTP port of /health, /ready, /metrics and /status; 0 = any.",
  },
  threads: {
    env: "RHONE_THREADS",
    schema: count(1).max(512).default(availableCores()),
    doc: "Threads that compute.",
    defaultText: "all cores that it may keep busy",
  },
  memory: {
    env: "RHONE_MEMORY",
    schema: count(1).optional(),
    doc: "Bytes for weights and K/V pages; set it where workers that start at once share a machine.",
    defaultText: "90 % of what is free at start, within the limits of control groups",
  },
  memoryFrom: {
    env: "RHONE_MEMORY_FROM",
    schema: text.default("set by --memory"),
    doc: "Where --memory comes from, in words, for status and log; `rhone up` sets it.",
  },
  device: {
    env: "RHONE_DEVICE",
    schema: text.default("CPU"),
    doc: "Device that computes, as `rhone device ls` names it.",
  },
  kernels: kernelsSetting,
  modelsDir: {
    env: "RHONE_MODELS_DIR",
    schema: text.optional(),
    doc: "Folder of the model files, for machines where the coordinator's path does not exist.",
  },
  weightsDir: weightsDirSetting,
  weightsRate: weightsRateSetting,
  weightsBytes: {
    env: "RHONE_WEIGHTS_BYTES",
    schema: count(2 ** 20).default(64 * 2 ** 30),
    doc:
      "Bytes of fetched weights that are kept; above them, the models that were used longest ago are removed, but none " +
      "in use.",
  },
  grammarCompileMs: {
    env: "RHONE_GRAMMAR_COMPILE_MS",
    schema: count(1).max(60_000).default(DEFAULT_GRAMMAR_LIMITS.compileMs),
    doc: "Longest processor time for compiling a sequence's grammar on the last stage, in milliseconds.",
  },
  grammarMaskMs: {
    env: "RHONE_GRAMMAR_MASK_MS",
    schema: count(1).max(10_000).default(DEFAULT_GRAMMAR_LIMITS.maskMs),
    doc:
      "Longest time for telling which tokens a grammar allows next, in milliseconds by the clock, as a step may wait " +
      "for it; a busy machine may need more.",
  },
  grammarMemory: {
    env: "RHONE_GRAMMAR_MEMORY",
    schema: count(32 * 2 ** 20).default(DEFAULT_GRAMMAR_LIMITS.memoryBytes),
    doc: "Most bytes of the grammar engine for one grammar, the vocabulary included.",
  },
  grammarThreads: {
    env: "RHONE_GRAMMAR_THREADS",
    schema: count(2).max(1024).default(DEFAULT_GRAMMAR_LIMITS.threads),
    doc:
      "Most grammars that sequences use at a time, each in a thread; sequences with further ones wait. " +
      "An API key uses no more of them than it leaves free: half, where no other uses any.",
  },
  grammarWaitMs: {
    env: "RHONE_GRAMMAR_WAIT_MS",
    schema: count(100).max(86_400_000).default(DEFAULT_GRAMMAR_LIMITS.waitMs),
    doc: "How long a sequence without tokens waits for its grammar's thread before it is refused, in milliseconds.",
  },
  leaveTimeout: {
    env: "RHONE_LEAVE_TIMEOUT",
    schema: z.coerce.number().min(0).max(3600).default(60),
    doc: "Seconds after SIGTERM for which this worker serves on while others load its layers; then it ends all the same.",
  },
  simulate: {
    env: "RHONE_SIMULATE",
    schema: simulationSchema.optional(),
    doc:
      "Compute nothing: null, or stage-ms=<n>, row-us=<n> and row-bytes=<n>, separated by commas. " +
      "The coordinator needs --simulated true.",
  },
  ...securitySettings,
  metricsTokenFile: metricsTokenFileSetting,
  hungAfter: hungAfterSetting,
  logLevel: logLevelSetting,
  ggmlDir: ggmlDirSetting,
} as const satisfies Settings;

export type ShardWorkerConfig = ConfigOf<typeof shardWorkerSettings>;

/** Settings of calibrate-main, the process that times layers for `rhone plan`. */
export const calibrationSettings = {
  modelPath: { env: "RHONE_MODEL_PATH", schema: text, doc: "GGUF file." },
  layers: { env: "RHONE_LAYERS", schema: count(1), doc: "Layers to time." },
  kvType: {
    env: "RHONE_KV_TYPE",
    schema: kvTypeSchema.default("f16"),
    doc: "Type of the K/V pages: f16, f32 or q8_0.",
  },
  slidingWindow: {
    env: "RHONE_SLIDING_WINDOW",
    schema: count(0).default(0),
    doc: "Positions that a token attends to, itself included; 0 = all.",
  },
  threads: shardWorkerSettings.threads,
  device: shardWorkerSettings.device,
  kernels: kernelsSetting,
  hungAfter: hungAfterSetting,
  logLevel: logLevelSetting,
  ggmlDir: ggmlDirSetting,
} as const satisfies Settings;
