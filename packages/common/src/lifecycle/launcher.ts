import type { StepTimeStatus } from "../cluster/cluster-status.js";

// Messages between a process and the launcher that forked it, over Node's IPC channel.

/** Sent once by every service. */
export type Announcement =
  | {
      readonly kind: "listening";
      readonly service: string;
      /** host:port of each listener, by name. */
      readonly addresses: Readonly<Record<string, string>>;
    }
  | { readonly kind: "fatal"; readonly code: string; readonly message: string };

/** Sends the announcement to the launcher; does nothing in a process that has none. */
export function announce(message: Announcement): void {
  process.send?.(message);
}

/** Sent to a calibration process: time one step at each of these numbers of decode rows. */
export interface CalibrationOrder {
  readonly rows: readonly number[];
}

/**
 * Sent by a calibration process: its layers are loaded, for the kernels of this name or for "ggml"; or the answer to an
 * order.
 */
export type CalibrationAnswer =
  | { readonly kind: "loaded"; readonly kernels: string }
  | { readonly kind: "measured"; readonly stepTimes: readonly StepTimeStatus[] };
