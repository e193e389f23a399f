import { type Dice, diceOf } from "../load/dice.js";

/** Of `--kinds`: by whose death, or else by what is stopped, reset, parted or pulled. */
export const FAULT_KINDS = [
  "worker",
  "coordinator",
  "gateway",
  "redis",
  "supervisor",
  "stop",
  "link",
  "part",
  "cable",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What is done to whom; processes by their names. */
export type Deed =
  | { readonly act: "kill"; readonly process: string }
  /** SIGSTOP; it is woken after `stopMs`, unless somebody else wakes or kills it before. */
  | { readonly act: "stop"; readonly process: string; readonly stopMs: number }
  /** `share`: which of the connections that there are then, 0 the first, 1 behind the last. */
  | { readonly act: "reset"; readonly share: number }
  /** Two hosts lose the other's frames, or with `oneWay` the second one the first one's. */
  | {
      readonly act: "part";
      readonly hosts: readonly [string, string];
      readonly oneWay: boolean;
      readonly forMs: number;
    }
  /** A host's cable, which is put back after `forMs`. */
  | { readonly act: "pull"; readonly host: string; readonly forMs: number };

export interface Fault {
  /** From 1. */
  readonly number: number;
  /** To wait before it. */
  readonly pauseMs: number;
  readonly deed: Deed;
}

/** What there is to strike, by name. */
export interface FaultTargets {
  readonly processes: readonly string[];
  /** None: all is on one host. */
  readonly hosts: readonly string[];
}

export interface FaultOrder extends FaultTargets {
  readonly seed: number;
  readonly faults: number;
  readonly kinds: readonly FaultKind[];
  readonly pauseMs: Range;
  /** What a fault takes beside its pause, at least: with `--apart` the time until all streams have gone on. */
  readonly eachMs?: number;
  readonly stopMs: Range;
  /** Of partitions, and of cables that are pulled. */
  readonly partMs: Range;
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
export function planFaults(order: FaultOrder): readonly Fault[] {
  const { seed, faults, kinds, pauseMs, eachMs = 0, stopMs, partMs, processes } = order;
  const dice = diceOf(seed);
  const targets = new Map(kinds.map((kind) => [kind, targetsOf(kind, order)]));
  if ([...targets.values()].every(({ length }) => length === 0)) throw new RangeError("No kind of fault has a process");
  const ends = new Ends(processes);
  const forMs = (): number => Math.round(between(dice, partMs));
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
    const drawn = { share: dice(), stopMs: Math.round(between(dice, stopMs)) };
    const deed = deedOf(kind, target, kind === "part" || kind === "cable" ? { ...drawn, forMs: forMs() } : drawn);
    ends.note(deed, atMs);
    const fault = { number: index + 1, pauseMs: atMs - from, deed };
    atMs += eachMs;
    return fault;
  });
}

/** "kill worker": what the report counts together. Pairs of hosts are counted each on its own. */
export function nameOfDeed(deed: Deed): string {
  switch (deed.act) {
    case "reset":
      return "reset link";
    case "pull":
      return "pull cable";
    case "part":
      return `part ${deed.hosts.join(deed.oneWay ? ONE_WAY : BOTH_WAYS)}`;
    default:
      return `${deed.act} ${roleOf(deed.process)}`;
  }
}

const BOTH_WAYS = " | ";
const ONE_WAY = " > ";

/** "worker-3" -> "worker"; a host of Redis is no server. */
const roleOf = (name: string): string => (name === "redis" ? "redis host" : name.replace(/-\d+$/, ""));

const isOf =
  (kind: FaultKind) =>
  (name: string): boolean =>
    kind === "stop" || name === kind || name.startsWith(`${kind}-`);

/** The processes, hosts or pairs of hosts that a kind of fault may strike; a link has none of its own. */
export function targetsOf(kind: FaultKind, { processes, hosts }: FaultTargets) {
  switch (kind) {
    case "link":
      return ["link"];
    case "cable":
      return hosts;
    case "part":
      return pairsOf(hosts);
    default:
      return processes.filter(isOf(kind));
  }
}

/** As often both ways as one way. */
const pairsOf = (hosts: readonly string[]): readonly string[] =>
  hosts.flatMap((one, index) =>
    hosts.slice(index + 1).flatMap((other) => {
      const both = [one, other].join(BOTH_WAYS);
      return [both, both, [one, other].join(ONE_WAY), [other, one].join(ONE_WAY)];
    }),
  );

interface Drawn {
  readonly share: number;
  readonly stopMs: number;
  readonly forMs?: number;
}

function deedOf(kind: FaultKind, target: string, { share, stopMs, forMs = 0 }: Drawn): Deed {
  switch (kind) {
    case "link":
      return { act: "reset", share };
    case "cable":
      return { act: "pull", host: target, forMs };
    case "part": {
      const oneWay = target.includes(ONE_WAY);
      const [one = "", other = ""] = target.split(oneWay ? ONE_WAY : BOTH_WAYS);
      return { act: "part", hosts: [one, other], oneWay, forMs };
    }
    case "stop":
      return { act: "stop", process: target, stopMs };
    default:
      return { act: "kill", process: target };
  }
}

/** When the processes end, by the plan. */
class Ends {
  readonly #processes: readonly string[];
  readonly #ends = new Map<string, number[]>();

  constructor(processes: readonly string[]) {
    this.#processes = processes;
  }

  /** Milliseconds until the process may end again; 0 = now. */
  untilFree(name: string, nowMs: number): number {
    const oldest = this.#ends.get(serviceOf(name))?.at(-MOST_ENDS);
    return oldest === undefined ? 0 : Math.max(0, oldest + WITHIN_MS - nowMs);
  }

  note(deed: Deed, atMs: number): void {
    // Its supervisor wakes a stopped process.
    if (deed.act !== "kill") return;
    const name = serviceOf(deed.process);
    if (!isSupervisor(name)) {
      this.#ends.set(name, [...(this.#ends.get(name) ?? []), atMs]);
      return;
    }
    // A supervisor that is started again begins to count.
    for (const other of [...this.#ends.keys()]) if (this.#supervisorOf(other) === name) this.#ends.delete(other);
  }

  /** On a host of its own a worker has one of its own, with its number. */
  #supervisorOf(name: string): string {
    const own = name.replace(/^worker/, "supervisor");
    return this.#processes.includes(own) ? own : "supervisor";
  }
}

export const isSupervisor = (name: string): boolean => /^supervisor(-\d+)?$/.test(name);

/** A redis-server and its host end together. */
const serviceOf = (name: string): string => (name === "redis-server" ? "redis" : name);

const between = (dice: Dice, [least, most]: Range): number => least + dice() * (most - least);

function oneOf<T>(dice: Dice, values: readonly T[]): T {
  const value = values[Math.floor(dice() * values.length)];
  if (value === undefined) throw new RangeError("Nothing to choose from");
  return value;
}
