import { apiKeyNameSchema } from "@rhone/common";
import { z } from "zod";

/** Per minute; null: the gateway's default; 0: none. */
const limit = z.number().int().min(0).max(1e12).nullable().optional();

/** Of POST /v1/keys. */
export const keyRequestSchema = z.object({
  name: apiKeyNameSchema,
  requests_per_minute: limit,
  tokens_per_minute: limit,
  /** It may make and revoke keys, and sees the requests of all. */
  admin: z.boolean().optional(),
});

const keySchema = z.object({
  id: z.string(),
  object: z.literal("key"),
  name: z.string(),
  requests_per_minute: z.number().nullable(),
  tokens_per_minute: z.number().nullable(),
  admin: z.boolean(),
  created_at: z.number(),
});

export const keyListSchema = z.object({ object: z.literal("list"), data: z.array(keySchema) });

/** The secret is shown once. */
export const madeKeySchema = keySchema.extend({ secret: z.string() });

export const keyDeletedSchema = z.object({ id: z.string(), object: z.literal("key"), deleted: z.literal(true) });
