import { activationTypeSchema, KERNEL_CHOICES, kvTypeSchema } from "@rhone/common";
import { z } from "zod";

/** The options of `rhone up`. Plain data, because a supervisor in the background gets them on its command line. */
export const clusterOptionsSchema = z.object({
  dataDir: z.string(),
  /** The model of requests that name none. */
  model: z.string(),
  moreModels: z.array(z.string()).readonly().optional(),
  /** Pipelines of each model. Absent = 1. */
  replicas: z.number().int().min(1).optional(),
  /** A name, or the absolute path of a file. */
  chatTemplate: z.string().optional(),
  host: z.string(),
  port: z.number().int(),
  /** Other machines may join: the address for them, or true for the one that is found. */
  listen: z.union([z.literal(true), z.string()]).optional(),
  /** Where they join. */
  listenPort: z.number().int().optional(),
  /** auto, keys or off. */
  auth: z.string().optional(),
  workers: z.number().int().optional(),
  threads: z.number().int().optional(),
  /** Bytes per worker. */
  memory: z.number().int().optional(),
  /** Where these come from, in words; absent: from --memory. */
  memoryFrom: z.string().optional(),
  kvType: kvTypeSchema,
  slidingWindow: z.number().int().optional(),
  context: z.number().int().optional(),
  /** Milliseconds, "auto" or "off". */
  targetItl: z.string().optional(),
  speculate: z.number().int().optional(),
  maxSequences: z.number().int().optional(),
  maxRows: z.number().int().optional(),
  activationType: activationTypeSchema.optional(),
  spares: z.number().int().optional(),
  device: z.string().optional(),
  kernels: z.enum(KERNEL_CHOICES).optional(),
  /** Where traces are sent, and the share of requests that are traced; when absent, as the environment says. */
  otlpEndpoint: z.string().optional(),
  tracesSamplerArg: z.number().min(0).max(1).optional(),
  /** Makes workers compute nothing; see `parseSimulation`. */
  simulate: z.string().optional(),
  /** For files and batches: a folder or s3://bucket/prefix. */
  storage: z.string().optional(),
  s3Endpoint: z.string().optional(),
  s3Region: z.string().optional(),
  /** "true" or "false". */
  s3PathStyle: z.string().optional(),
});

export type ClusterOptions = Readonly<z.infer<typeof clusterOptionsSchema>>;
