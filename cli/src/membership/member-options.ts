import { KERNEL_CHOICES } from "@rhone/common";
import { z } from "zod";

/** What `rhone join` runs on this machine. Plain data, for a supervisor in the background and for the next start. */
export const memberOptionsSchema = z.object({
  dataDir: z.string(),
  /** host:port where the cluster admits machines. */
  door: z.string(),
  /** Of its certificate, and of the worker. */
  name: z.string(),
  /** host:port of the coordinator, as the door said last. */
  coordinator: z.string(),
  /** Name or address by which the other machines reach this one; found when absent. */
  advertise: z.string().optional(),
  /** Of the worker's frames. */
  port: z.number().int(),
  threads: z.number().int().optional(),
  /** Bytes. */
  memory: z.number().int().optional(),
  device: z.string().optional(),
  kernels: z.enum(KERNEL_CHOICES).optional(),
  simulate: z.string().optional(),
});

export type MemberOptions = Readonly<z.infer<typeof memberOptionsSchema>>;
