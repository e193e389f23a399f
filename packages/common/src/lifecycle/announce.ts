import type { StepTimeStatus } from "../cluster/cluster-status.js";

/** What a service tells the launcher that started it, over Node's IPC channel. */
export type Announcement =
  | {
      readonly kind: "listening";
      readonly service: string;
      /** host:port of each listener, by name. */
      readonly addresses: Readonly<Record<string, string>>;
    }
  | { readonly kind: "fatal"; readonly code: string; readonly message: string };

/** Tells the launcher, if there is one. */
export function announce(message: Announcement): void {
  process.send?.(message);
}

/** What a process that times a model tells the launcher: that it may be asked, and an answer. */
export type CalibrationAnswer =
  | { readonly kind: "loaded" }
  | { readonly kind: "measured"; readonly stepTimes: readonly StepTimeStatus[] };

/** What it is asked: steps of so many decode rows. */
export interface CalibrationOrder {
  readonly rows: readonly number[];
}
