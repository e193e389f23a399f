import { type Dice, diceOf } from "../load/dice.js";

/** Of `--kinds`: whose death it is, or a process that is stopped, or a connection between two stages that is reset. */
export const FAULT_KINDS = ["worker", "coordinator", "gateway", "redis", "supervisor", "stop", "link"] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What is done to whom; processes by their names. */
export type Deed =
  | { readonly act: "kill"; readonly process: string }
  /** SIGSTOP; it is woken after `stopMs`, unless it was killed meanwhile. */
  | { readonly act: "stop"; readonly process: string; readonly stopMs: number }
  /** `share`: which of the connections that there are then, 0 the first, 1 behind the last. */
  | { readonly act: "reset"; readonly share: number };

export interface Fault {
  /** From 1. */
  readonly number: number;
  /** To wait before it. */
  readonly pauseMs: number;
  readonly deed: Deed;
}

export interface FaultOrder {
  readonly seed: number;
  readonly faults: number;
  readonly kinds: readonly FaultKind[];
  readonly pauseMs: Range;
  readonly stopMs: Range;
  /** Names of the cluster's processes. */
  readonly processes: readonly string[];
}

/** Both ends included. */
export type Range = readonly [least: number, most: number];

/**
 * `rhone up` starts a process again at once, after 500 ms the second time within a minute and after twice as long each
 * further time, but five times at most. Three leave one to chance and keep its pause from being what is measured.
 */
const MOST_ENDS = 3;
const WITHIN_MS = 60_000;

/** The faults of a seed: the same order gives the same list. Throws RangeError when no kind has a process. */
export function planFaults({ seed, faults, kinds, pauseMs, stopMs, processes }: FaultOrder): readonly Fault[] {
  const dice = diceOf(seed);
  const targets = new Map(kinds.map((kind) => [kind, targetsOf(kind, processes)]));
  if ([...targets.values()].every(({ length }) => length === 0)) throw new RangeError("No kind of fault has a process");
  const ends = new Ends();
  let atMs = 0;
  return Array.from({ length: faults }, (_, index) => {
    const from = atMs;
    atMs += Math.round(between(dice, pauseMs));
    const free = (): readonly FaultKind[] => kinds.filter((kind) => allowed(kind).length > 0);
    const allowed = (kind: FaultKind) => (targets.get(kind) ?? []).filter((name) => ends.untilFree(name, atMs) === 0);
    if (free().length === 0)
      atMs += Math.min(...[...targets.values()].flat().map((name) => ends.untilFree(name, atMs)));
    const kind = oneOf(dice, free());
    const target = oneOf(dice, allowed(kind));
    const deed = deedOf(kind, target, { share: dice(), stopMs: Math.round(between(dice, stopMs)) });
    ends.note(deed, atMs);
    return { number: index + 1, pauseMs: atMs - from, deed };
  });
}

/** "kill worker": what the report counts together. */
export function nameOfDeed(deed: Deed): string {
  return deed.act === "reset" ? "reset link" : `${deed.act} ${roleOf(deed.process)}`;
}

/** "worker-3" -> "worker"; a host of Redis is no server. */
const roleOf = (name: string): string => (name === "redis" ? "redis host" : name.replace(/-\d+$/, ""));

const isOf =
  (kind: FaultKind) =>
  (name: string): boolean =>
    kind === "stop" || name === kind || name.startsWith(`${kind}-`);

/** The processes that a kind of fault may strike; a link has none of its own. */
export const targetsOf = (kind: FaultKind, processes: readonly string[]): readonly string[] =>
  kind === "link" ? ["link"] : processes.filter(isOf(kind));

function deedOf(kind: FaultKind, process: string, drawn: { readonly share: number; readonly stopMs: number }): Deed {
  if (kind === "link") return { act: "reset", share: drawn.share };
  return kind === "stop" ? { act: "stop", process, stopMs: drawn.stopMs } : { act: "kill", process };
}

/** When the processes end, by the plan. */
class Ends {
  readonly #ends = new Map<string, number[]>();

  /** Milliseconds until the process may end again; 0 = now. */
  untilFree(name: string, nowMs: number): number {
    const oldest = this.#ends.get(serviceOf(name))?.at(-MOST_ENDS);
    return oldest === undefined ? 0 : Math.max(0, oldest + WITHIN_MS - nowMs);
  }

  note(deed: Deed, atMs: number): void {
    // Its supervisor wakes a stopped process.
    if (deed.act !== "kill") return;
    const name = serviceOf(deed.process);
    // A supervisor that is started again begins to count.
    if (name === "supervisor") this.#ends.clear();
    else this.#ends.set(name, [...(this.#ends.get(name) ?? []), atMs]);
  }
}

/** A redis-server and its host end together. */
const serviceOf = (name: string): string => (name === "redis-server" ? "redis" : name);

const between = (dice: Dice, [least, most]: Range): number => least + dice() * (most - least);

function oneOf<T>(dice: Dice, values: readonly T[]): T {
  const value = values[Math.floor(dice() * values.length)];
  if (value === undefined) throw new RangeError("Nothing to choose from");
  return value;
}
