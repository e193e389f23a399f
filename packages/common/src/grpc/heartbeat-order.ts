import type { SecurityConfig } from "../security/security-settings.js";

/** Places in the counters, which the main thread writes and the heartbeat thread reads. */
export const TURNS = 0;
export const STEPS = 1;
export const BUSY_US = 2;

export interface HeartbeatOrder {
  /** host:port of the coordinator. */
  readonly coordinator: string;
  readonly security: SecurityConfig;
  readonly worker: string;
  readonly counters: BigInt64Array;
  /** How often the counters are looked at. */
  readonly lookMs: number;
}
