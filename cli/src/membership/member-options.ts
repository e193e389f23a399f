import { KERNEL_CHOICES, type Parsed, placesSchema, type Role } from "@rhone/common";
import { z } from "zod";

/** What a machine may be in a cluster of another one. */
export const MEMBER_ROLES = ["worker", "gateway", "coordinator"] as const satisfies readonly Role[];
export type MemberRole = (typeof MEMBER_ROLES)[number];

/** What `rhone join` runs on this machine. Plain data, for a supervisor in the background and for the next start. */
export const memberOptionsSchema = z.object({
  dataDir: z.string(),
  /** host:port where the cluster admits machines. */
  door: z.string(),
  as: z.enum(MEMBER_ROLES).default("worker"),
  /** Of its certificate, and of the worker. */
  name: z.string(),
  /** Where the cluster's parts are, as the door said last. */
  places: placesSchema.default({ pipelines: [], hasTemplateFile: false }),
  /** host:port of the coordinator that a worker joins, or that has the model of a gateway or coordinator. */
  coordinator: z.string(),
  /** A worker's: one that the cluster serves. A coordinator's, too, or one that this machine has. */
  model: z.string().optional(),
  /** Name or address by which the other machines reach this one; found when absent. */
  advertise: z.string().optional(),
  /** Of a worker's frames, of a gateway's HTTP, of a coordinator's gRPC. */
  port: z.number().int(),

  // A worker's.
  threads: z.number().int().optional(),
  /** Bytes. */
  memory: z.number().int().optional(),
  device: z.string().optional(),
  kernels: z.enum(KERNEL_CHOICES).optional(),
  simulate: z.string().optional(),

  // A gateway's.
  host: z.string().optional(),
  auth: z.string().optional(),
  chatTemplate: z.string().optional(),
  storage: z.string().optional(),
  s3Endpoint: z.string().optional(),
  s3Region: z.string().optional(),
  s3PathStyle: z.string().optional(),

  // A coordinator's.
  workers: z.number().int().optional(),
});

export type MemberOptions = Parsed<typeof memberOptionsSchema>;

/** Flags of `rhone join` that say what it runs. */
export type MemberFlags = Partial<Omit<MemberOptions, "door" | "places" | "coordinator">>;

export const DEFAULT_PORTS: Readonly<Record<MemberRole, number>> = { worker: 7200, gateway: 8080, coordinator: 7110 };

export interface Joining {
  readonly flags: MemberFlags;
  /** host:port where the cluster admits machines. */
  readonly door: string;
  readonly hasToken: boolean;
  /** What this machine joined last. */
  readonly before: MemberOptions | null;
}

/**
 * What a machine becomes. A command with a token is the whole of it: flags of an earlier one, which may have failed by
 * them, are forgotten. Without a token they hold, except where this one changes them. `last`: the same role in the same
 * cluster, whose name and place are kept either way.
 */
export function partToJoin({ flags, door, hasToken, before }: Joining) {
  const as = flags.as ?? (hasToken ? undefined : before?.as) ?? "worker";
  const last = before?.door === door && before.as === as ? before : null;
  const kept = hasToken ? null : last;
  const part = { ...kept, ...flags, door, as, port: flags.port ?? kept?.port ?? DEFAULT_PORTS[as] };
  return { part, last };
}
