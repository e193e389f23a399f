import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { hostPortSchema, hostSchema } from "./host-address.js";

type DeepReadonly<T> = { readonly [K in keyof T]: DeepReadonly<T[K]> };
/** The type of a value that was parsed by a schema: readonly in all depths. */
export type Parsed<S extends z.ZodType> = DeepReadonly<z.output<S>>;

/** A TCP port; 0 lets the system choose. */
export const portSchema = z.coerce.number().int().min(0).max(65535);

/** true, yes, on or 1; false, no, off or 0. */
export const booleanSchema = z.stringbool({ error: "is neither true nor false" });

export const logLevelSchema = z.enum(["debug", "info", "warn", "error", "silent"]).default("info");

/** An IPv6 address without brackets is not a URL. */
const isRedisUrl = (text: string): boolean =>
  text.startsWith("unix://") || (/^(?:rediss?|rhone):\/\//.test(text) && URL.canParse(text));

export const redisUrlSchema = z
  .string()
  .refine(isRedisUrl, "is not a redis://, rediss://, unix:// or rhone:// URL")
  .default("redis://127.0.0.1:6379");

/** A URL without its user and password, for logs and messages. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//***@");
}

export const kvTypeSchema = z.enum(["f16", "f32", "q8_0"]);
export type KvTypeName = z.infer<typeof kvTypeSchema>;

export const activationTypeSchema = z.enum(["f32", "f16", "q8_0"]);
export type ActivationTypeName = z.infer<typeof activationTypeSchema>;

// Settings that several services have.

export const logLevelSetting = {
  env: "RHONE_LOG_LEVEL",
  schema: logLevelSchema,
  doc: "Least severe messages in the log: debug, info, warn, error or silent.",
} as const;

export const hostSetting = {
  env: "RHONE_HOST",
  schema: hostSchema.default("127.0.0.1"),
  doc: "Address to bind; 0.0.0.0 = every interface with IPv4, :: = every interface.",
} as const;

export const redisUrlSetting = {
  env: "REDIS_URL",
  schema: redisUrlSchema,
  doc:
    "Redis, as a redis://, rediss:// or unix:// URL, or rhone://HOST:PORT for the private one of another machine's " +
    "cluster, which takes the certificates of gateways and coordinators (RHONE_TLS_*).",
} as const;

export const hungAfterSetting = {
  env: "RHONE_HUNG_AFTER",
  schema: z.coerce.number().min(1).max(3600).default(4),
  doc:
    "Seconds without a turn of a process's event loop after which it counts as hung and is killed, to be started " +
    "again; after a quarter of them it is woken, in case it was stopped. More under a debugger.",
} as const;

export const weightsDirSetting = {
  env: "RHONE_WEIGHTS_DIR",
  schema: z
    .string()
    .min(1)
    .default(join(homedir(), ".rhone", "weights")),
  doc: "Folder of fetched weights and of the hashes of model files; processes of a machine may share it.",
  defaultText: "~/.rhone/weights",
} as const;

export const weightsFromSetting = {
  env: "RHONE_WEIGHTS_FROM",
  schema: hostPortSchema.optional(),
  doc: "host:port of a coordinator that has the model's file, for machines where --model-path does not exist.",
} as const;

export const weightsRateSetting = {
  env: "RHONE_WEIGHTS_RATE",
  schema: z.coerce
    .number()
    .int()
    .min(0)
    .default(32 * 2 ** 20),
  doc:
    "Bytes of weights that it sends to other machines per second, together, while it has requests to compute; " +
    "0 = as many as the network takes. Without requests there is no limit.",
} as const;

/** What CPUs compute with: ggml, Rhone's kernels of one name, or with `auto` the best verified one that runs. */
export const KERNEL_CHOICES = ["auto", "ggml", "avx2", "avx512-vnni", "amx-int8", "neon-dotprod"] as const;

export type KernelChoice = (typeof KERNEL_CHOICES)[number];

export const kernelsSetting = {
  env: "RHONE_KERNELS",
  schema: z.enum(KERNEL_CHOICES).default("auto"),
  doc:
    "What the CPU computes with: `auto` = the best kernels of Rhone's own that it runs and that were tested on such a " +
    "machine, `ggml` = none of them, or kernels by name: avx2, avx512-vnni, amx-int8, neon-dotprod.",
} as const;

export const ggmlDirSetting = {
  env: "RHONE_GGML_DIR",
  schema: z.string().min(1).optional(),
  doc: "Folder of the shared libraries of a llama.cpp build.",
  defaultText: "the installed ones",
} as const;
