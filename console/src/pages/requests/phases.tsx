import type { RecentRequest } from "@rhone/common";
import { duration } from "../../format.ts";

interface Phase {
  readonly name: string;
  readonly ms: number;
  readonly kind: "main" | "second" | "third";
}

/** The phases of a request so far. Without a first token, what it waits for is neither. */
export function phasesOf({ prepareMs, firstTokenMs, decodeMs, arrivedAtMs, state }: RecentRequest, nowMs: number) {
  const waited = firstTokenMs ?? (state === "running" ? Math.max(0, nowMs - arrivedAtMs - prepareMs) : 0);
  const phases: readonly Phase[] = [
    { name: "Prepared", ms: prepareMs, kind: "third" },
    { name: "Queue and prompt", ms: waited, kind: "second" },
    { name: "Answer", ms: decodeMs ?? 0, kind: "main" },
  ];
  return phases;
}

/** Where a request's time went, as a bar. `mostMs`: what the whole width is worth. */
export function PhaseBar({ phases, mostMs }: { readonly phases: readonly Phase[]; readonly mostMs: number }) {
  const told = phases.map(({ name, ms }) => `${name} ${duration(ms)}`).join(", ");
  return (
    <div class="phases" role="img" aria-label={told} title={told}>
      {phases.map(({ kind, ms }) => (
        <i key={kind} class={`bar-${kind}`} style={{ width: `${(100 * ms) / mostMs}%` }} />
      ))}
    </div>
  );
}
