import { z } from "zod";

/** A TCP port; 0 lets the system choose. */
export const portSchema = z.coerce.number().int().min(0).max(65535);

/** What a service binds to. Loopback unless told otherwise. */
export const hostSchema = z.string().min(1).default("127.0.0.1");

/** true, yes, on or 1; false, no, off or 0. */
export const booleanSchema = z.stringbool();

export const logLevelSchema = z.enum(["debug", "info", "warn", "error", "silent"]).default("info");

/** The setting that every process has. */
export const logLevelSetting = {
  env: "RHONE_LOG_LEVEL",
  schema: logLevelSchema,
  doc: "debug, info, warn, error or silent.",
} as const;

export const redisUrlSchema = z
  .string()
  .regex(/^(rediss?|unix):\/\//, "must be a redis://, rediss:// or unix:// URL")
  .default("redis://127.0.0.1:6379");

export const kvTypeSchema = z.enum(["f16", "f32", "q8_0"]);
export type KvTypeName = z.infer<typeof kvTypeSchema>;

export const activationTypeSchema = z.enum(["f32", "f16"]);
export type ActivationTypeName = z.infer<typeof activationTypeSchema>;
