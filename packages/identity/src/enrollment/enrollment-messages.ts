import { z } from "zod";
import { MEMBER_ROLES } from "../member-name.js";

// The bodies of the enrollment server's requests and answers, JSON.

/** Bytes of a body, at most. */
export const LARGEST_BODY = 16 * 1024;

export const PATHS = { cluster: "/v1/cluster", enroll: "/v1/enroll", renew: "/v1/renew" } as const;

const text = (longest: number) => z.string().min(1).max(longest);

/** GET /v1/cluster: what anybody may know. */
export const clusterSchema = z.object({ ca: text(8192) });

export const enrollSchema = z.object({
  token: text(16),
  secret: text(64),
  role: z.enum(MEMBER_ROLES),
  name: text(64),
  request: text(8192),
});

export const renewSchema = z.object({ request: text(8192) });

/** What a member needs besides its certificate. */
export const placesSchema = z.object({
  /** host:port of a coordinator's gRPC server; absent while there is none. */
  coordinator: z.string().optional(),
  /** URL of Redis, for gateways and coordinators. It may hold a password. */
  redisUrl: z.string().optional(),
  /** Name of the model. */
  model: z.string().optional(),
});
export type Places = Readonly<z.infer<typeof placesSchema>>;

export const enrolledSchema = z.object({ certificate: text(8192), places: placesSchema });
export type Enrolled = Readonly<z.infer<typeof enrolledSchema>>;

export const failureSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
