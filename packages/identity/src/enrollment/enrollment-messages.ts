import { hostPortSchema, type Parsed, placesSchema } from "@rhone/common";
import { z } from "zod";
import { MEMBER_ROLES } from "../member-name.js";

// The bodies of the enrollment server's requests and answers, JSON.

/** Bytes of a body, at most. */
export const LARGEST_BODY = 16 * 1024;
/** Bytes of an answer, at most: 10,000 keys are 670 KB. */
export const LARGEST_ANSWER = 1024 * 1024;

export const PATHS = {
  cluster: "/v1/cluster",
  enroll: "/v1/enroll",
  renew: "/v1/renew",
  revoked: "/v1/revoked",
  probe: "/v1/probe",
} as const;

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

export const enrolledSchema = z.object({ certificate: text(8192), places: placesSchema });
export type Enrolled = Parsed<typeof enrolledSchema>;

/** GET /v1/revoked, for members: the keys that are believed no longer. */
export const revokedSchema = z.object({ keys: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(10_000) });

/** POST /v1/probe, for coordinators: whether this machine reaches them at host:port. */
export const probeSchema = z.object({ address: text(300).pipe(hostPortSchema) });
export const probedSchema = z.object({
  /** Why not; null: it does. */
  problem: z.string().nullable(),
});

export const failureSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
