import type { ErrorCode } from "@rhone/common";

export const PHASES = ["model", "redis", "coordinator", "workers", "weights", "probe", "gateway"] as const;
export type Phase = (typeof PHASES)[number];

/** What a cluster tells while it comes up and runs; plain data, since it also crosses from a supervisor to the command line. */
export type ProgressEvent =
  /** A phase goes on, or ends. */
  | { readonly kind: "phase"; readonly phase: Phase; readonly text: string; readonly done: boolean }
  /** Something worth a line. */
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "ready"; readonly url: string }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

export type Report = (event: ProgressEvent) => void;
