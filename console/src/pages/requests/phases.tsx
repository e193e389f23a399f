import type { RecentRequest } from "@rhone/common";
import { duration } from "../../format.ts";

interface Phase {
  readonly name: string;
  readonly ms: number;
  readonly kind: "main" | "second" | "third" | "wait";
}

/** The phases of a request so far. Without a first token, what it waits for is neither. */
export function phasesOf(
  { prepareMs, firstTokenMs, queuedMs, decodeMs, arrivedAtMs, state }: RecentRequest,
  nowMs: number,
) {
  const waited = firstTokenMs ?? (state === "running" ? Math.max(0, nowMs - arrivedAtMs - prepareMs) : 0);
  // Two clocks: the coordinator's share is within the gateway's.
  const queued = Math.min(waited, queuedMs ?? 0);
  const phases: readonly Phase[] = [
    { name: "Prepared", ms: prepareMs, kind: "third" },
    { name: "Queue", ms: queued, kind: "wait" },
    { name: queuedMs === null ? "Queue and prompt" : "Prompt", ms: waited - queued, kind: "second" },
    { name: "Answer", ms: decodeMs ?? 0, kind: "main" },
  ];
  return phases;
}

/** Where a request's time went, as a bar. `mostMs`: what the whole width is worth. */
export function PhaseBar({ phases, mostMs }: { readonly phases: readonly Phase[]; readonly mostMs: number }) {
  const told = phases
    .filter(({ ms }) => ms > 0)
    .map(({ name, ms }) => `${name} ${duration(ms)}`)
    .join(", ");
  return (
    <div class="phases" role="img" aria-label={told} title={told}>
      {phases.map(({ kind, ms }) => (
        <i key={kind} class={`bar-${kind}`} style={{ width: `${(100 * ms) / mostMs}%` }} />
      ))}
    </div>
  );
}
