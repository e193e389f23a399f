import { z } from "zod";
import { activationTypeSchema, kvTypeSchema, type Parsed } from "../config/schemas.js";

/** What replicas of a pipeline have in common with it, so that a request has one answer at all of them. */
const servingSchema = z.object({
  /** Positions that a token attends to; 0 = all. */
  slidingWindow: z.number().int().min(0),
  /** Most positions of a sequence. */
  context: z.number().int().min(2),
  kvType: kvTypeSchema,
  activationType: activationTypeSchema,
  simulated: z.boolean(),
});

/** A pipeline that machines may join. */
const pipelineSchema = z.object({
  /** Name of its model. */
  model: z.string().max(256),
  /** host:port of its coordinator's gRPC server. */
  coordinator: z.string().max(300),
  /** Workers that it has. */
  workers: z.number().int().min(0),
  /** Name of the model's chat template; absent: what its file suggests. */
  chatTemplate: z.string().max(64).exactOptional(),
  /** Absent while its coordinator has not said it. */
  serving: servingSchema.exactOptional(),
});
export type JoinablePipeline = Parsed<typeof pipelineSchema>;

/** What a machine that joins a cluster is told besides its certificate. */
export const placesSchema = z.object({
  pipelines: z.array(pipelineSchema).max(64).default([]),
  /** URL of the cluster's private Redis; absent: Redis is the operator's own, which each machine is told of itself. */
  redis: z.string().max(300).exactOptional(),
  /** The chat template is a file of the machine that made the cluster. */
  hasTemplateFile: z.boolean().default(false),
});
export type Places = Parsed<typeof placesSchema>;
