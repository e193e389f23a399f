import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How often a process looks at its memory. */
const LOOK_MS = 10_000;
/** Processor time of a quiet process and its threads, as a share of one core; a gateway with one stream takes 0.1. */
const QUIET = 0.25;
/** A process has grown when it holds this much more than it needs. */
const GROWTH = 1.1;
const SLACK_BYTES = 4 * 1024 * 1024;
/** Looks in a row at which a process that works has grown. */
const PATIENCE = 3;
/** By then V8 has collected: 160 MB of objects took 0.4 s while other processes computed. */
const COLLECTED_MS = 2000;
/** Collections in a row after which a process that has still grown needs what it holds. */
const TRIES = 3;

export interface ReleaseOptions {
  /**
   * Gives freed native memory back to the system, when the process is quiet: in another thread, but the others
   * wait for it when they allocate, up to 0.25 s on a busy machine.
   */
  readonly trim?: (() => unknown) | undefined;
  readonly lookMs?: number;
  /** Bytes that the process holds. */
  readonly resident?: () => number;
  /** Milliseconds of processor time that the process and its threads have taken. */
  readonly computed?: () => number;
  readonly collect?: () => void;
}

/**
 * Gives memory back that the process no longer uses. V8 collects when memory is asked for, so a process that did much
 * and then little keeps its garbage, and room for as much again. So one that has grown collects: when it is quiet, or
 * when it has grown for 30 s. What it needs is the least that it held since the look after three collections in a row:
 * one collection may come while a request still uses the memory. Returns what ends the looks.
 */
export function releaseMemory(options: ReleaseOptions = {}): () => void {
  const { trim, lookMs = LOOK_MS, resident = process.memoryUsage.rss, collect = collector() } = options;
  const { computed = computedMs } = options;
  let needed = resident();
  let [looksGrown, tries] = [0, 0];
  let before = { at: performance.now(), computed: computed() };
  const look = () => {
    const now = { at: performance.now(), computed: computed() };
    const isQuiet = now.computed - before.computed <= QUIET * (now.at - before.at);
    before = now;
    const held = resident();
    needed = Math.min(needed, held);
    if (held <= needed * GROWTH + SLACK_BYTES) {
      [looksGrown, tries] = [0, 0];
      return;
    }
    if (tries === TRIES) {
      needed = held;
      [looksGrown, tries] = [0, 0];
      return;
    }
    looksGrown++;
    if (!isQuiet && looksGrown < PATIENCE) return;
    collect();
    looksGrown = 0;
    tries++;
    if (isQuiet && trim !== undefined) setTimeout(trim, COLLECTED_MS).unref();
  };
  const timer = setInterval(look, lookMs).unref();
  return () => clearInterval(timer);
}

function computedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * V8's collection of everything, in steps between the turns of the event loop; it begins with the young generation, in
 * the caller's turn. `gc()` has no such kind: 155 MB of objects took 0.4 s, twice. V8 begins one by itself after a
 * young generation whenever the heap has reached its limit, which the first flag makes it believe; the second has it
 * give pages back. A heap of less than 8 MB is left alone. A program has `gc` when its flag was set as its context
 * was made.
 */
export function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { type: "minor" }) => void;
  setFlagsFromString("--no-expose-gc");
  return () => {
    setFlagsFromString("--stress-incremental-marking");
    setFlagsFromString("--optimize-for-size");
    collect({ type: "minor" });
    setFlagsFromString("--no-stress-incremental-marking");
    setFlagsFromString("--no-optimize-for-size");
  };
}
