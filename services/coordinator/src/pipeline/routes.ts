import type { Logger } from "@rhone/common";
import type { Member } from "../workers/member.js";

/** How long the way between two workers must have been open before frames take it again. */
const PROVEN_MS = 5000;
/** Factor by which that grows each time that it closes again soon after, and what it grows to. */
const LONGER = 4;
const MOST_PROVEN_MS = 300_000;
/** After a way has been open for this long, its earlier relapses no longer count. */
const GOOD_AFTER_MS = 600_000;

/** A hop between two workers. */
export interface Hop {
  readonly from: Pick<Member, "worker">;
  readonly to: Pick<Member, "worker">;
}

interface Way {
  isOpen: boolean;
  provenMs: number;
  /** On the performance clock: when it last opened or closed. */
  changedAt: number;
}

/** The pairs of workers that do not reach each other, while both reach the coordinator: it passes their frames on. */
export class Routes {
  readonly #logger: Logger;
  /** Ways that are closed or were, by the names of their ends. */
  readonly #ways = new Map<string, Way>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Null: the hop is a direct one. Else how long its direct way must be open before it is one again. */
  detourOf(hop: Hop): number | null {
    const way = this.#ways.get(keyOf(hop));
    return way === undefined || way.isOpen ? null : way.provenMs;
  }

  /** `reason`: as the worker that sends has told it. */
  closed(hop: Hop, reason: string): void {
    const now = performance.now();
    const before = this.#ways.get(keyOf(hop));
    const isRelapse = before !== undefined && now - before.changedAt < GOOD_AFTER_MS;
    const provenMs = isRelapse ? Math.min(LONGER * before.provenMs, MOST_PROVEN_MS) : PROVEN_MS;
    this.#ways.set(keyOf(hop), { isOpen: false, provenMs, changedAt: now });
    const pair = { from: hop.from.worker, to: hop.to.worker };
    this.#logger.warn({ ...pair, reason }, "two workers do not reach each other: their frames come by here");
  }

  opened(hop: Hop): void {
    const way = this.#ways.get(keyOf(hop));
    if (way === undefined) return;
    const now = performance.now();
    const seconds = Math.round((now - way.changedAt) / 1000);
    Object.assign(way, { isOpen: true, changedAt: now });
    this.#logger.info({ from: hop.from.worker, to: hop.to.worker, seconds }, "two workers reach each other again");
  }

  /** A worker that joins again may be at another place. */
  forget(worker: string): void {
    for (const key of this.#ways.keys()) if (JSON.parse(key).includes(worker)) this.#ways.delete(key);
  }
}

/** TCP needs both directions. */
const keyOf = ({ from, to }: Hop): string => JSON.stringify([from.worker, to.worker].sort());
