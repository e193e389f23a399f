import type { StreamStory } from "./asked-stream.js";

/** A fault that was made. Milliseconds on the performance clock. */
export interface StruckFault {
  readonly number: number;
  /** "kill worker". */
  readonly name: string;
  /** The process or link. */
  readonly target: string;
  readonly at: number;
  /** When a stopped process was woken, or was gone; `at` of other faults. */
  readonly until: number;
}

/** The longest gap of a stream that counts for a fault. */
export interface GapSample {
  readonly fault: StruckFault;
  /** Index of the stream. */
  readonly stream: number;
  readonly from: number;
  readonly ms: number;
  /** No other fault, nor what another one did, falls into it. */
  readonly alone: boolean;
}

type Timed = Pick<StreamStory, "sentAt" | "arrivals" | "endedAt">;

interface Gap {
  readonly from: number;
  readonly to: number;
}

/** A gap this long is a fault's doing: others are usual between two tokens, and while a request waits its turn. */
const DOING_MS = 500;

/**
 * For each fault and each stream that it met, the longest gap between two tokens, or before the first. A gap counts for
 * the first fault that falls into it, else for the last one before it. `faults` in the order of their times.
 */
export function gapSamples(streams: readonly Timed[], faults: readonly StruckFault[]): readonly GapSample[] {
  const samples = streams.flatMap((stream, index) =>
    longestByFault(gapsOf(stream), faults).map((sample) => ({ ...sample, stream: index })),
  );
  const overAt = new Map(faults.map((fault) => [fault, fault.until]));
  for (const { fault, gap } of samples) {
    if (gap.to - gap.from < DOING_MS) continue;
    overAt.set(fault, Math.max(overAt.get(fault) ?? 0, gap.to));
  }
  return samples.map(({ fault, gap, stream }) => {
    const meets = (other: StruckFault): boolean => other.at <= gap.to && (overAt.get(other) ?? 0) >= gap.from;
    const { from, to } = gap;
    return { fault, stream, from, ms: to - from, alone: !faults.some((other) => other !== fault && meets(other)) };
  });
}

/** A stream that hung or failed has none after its last token: its end says what it was. */
function gapsOf({ sentAt, arrivals }: Timed): readonly Gap[] {
  return arrivals.map((to, index) => ({ from: arrivals[index - 1] ?? sentAt, to }));
}

function longestByFault(gaps: readonly Gap[], faults: readonly StruckFault[]) {
  const longest = new Map<StruckFault, Gap>();
  for (const gap of gaps) {
    const owner = ownerOf(gap, faults);
    const before = owner === undefined ? undefined : longest.get(owner);
    if (owner !== undefined && (before === undefined || before.to - before.from < gap.to - gap.from))
      longest.set(owner, gap);
  }
  return [...longest].map(([fault, gap]) => ({ fault, gap }));
}

function ownerOf({ from, to }: Gap, faults: readonly StruckFault[]): StruckFault | undefined {
  // The first at or after `from`, by halving: an hour has a thousand faults and a million gaps.
  let [low, high] = [0, faults.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((faults[middle]?.at ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  const within = faults[low];
  return within !== undefined && within.at <= to ? within : faults[low - 1];
}

/** The fault during or after which something happened at `time`; undefined before the first one. */
export const faultBefore = (faults: readonly StruckFault[], time: number): StruckFault | undefined =>
  faults.findLast(({ at }) => at <= time);
