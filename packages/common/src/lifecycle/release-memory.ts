import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How often a process looks at its memory. */
const LOOK_MS = 10_000;
/** Share of its time that the event loop of a quiet process works. */
const QUIET = 0.05;
/** A process has grown when it holds this much more than it needs. */
const GROWTH = 1.1;
const SLACK_BYTES = 4 * 1024 * 1024;
/** Looks in a row at which a process that works has grown. */
const PATIENCE = 3;
/** Largest heap that is collected while the process works; one of a gateway with 7,000 connections took 0.4 s. */
const MOST_HEAP_BYTES = 32 * 1024 * 1024;
/** The second collection is in a turn of its own. */
const AGAIN_MS = 100;
/** Collections in a row after which a process that is as large as before needs what it holds. */
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
  /** Bytes of V8's objects. */
  readonly heap?: () => number;
  readonly collect?: () => void;
}

/**
 * Gives memory back that the process no longer uses. V8 collects when memory is asked for, so a process that did much
 * and then little keeps its garbage. A collection of a worker took 36 ms, in which its event loop did not turn.
 * So one that has grown collects when it is quiet, or has grown for 30 s and has a heap of 32 MB at most.
 * What it needs is the least that it held since it last collected three times for nothing: one collection may come
 * while a request still uses the memory, and native memory is given back a while later. Returns what ends the looks.
 */
export function releaseMemory(options: ReleaseOptions = {}): () => void {
  const { trim, lookMs = LOOK_MS, resident = process.memoryUsage.rss, collect = collector() } = options;
  const { heap = () => process.memoryUsage().heapUsed } = options;
  let needed = resident();
  let [looksGrown, tries] = [0, 0];
  let before = performance.eventLoopUtilization();
  const look = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    const held = resident();
    needed = Math.min(needed, held);
    if (held <= needed * GROWTH + SLACK_BYTES) {
      [looksGrown, tries] = [0, 0];
      return;
    }
    looksGrown++;
    const isQuiet = utilization <= QUIET;
    if (!isQuiet && (looksGrown < PATIENCE || heap() > MOST_HEAP_BYTES)) return;
    collect();
    looksGrown = 0;
    tries++;
    setTimeout(giveBack, AGAIN_MS, isQuiet).unref();
  };
  // V8 frees what the first collection finds, and gives its pages back in the second.
  const giveBack = (isQuiet: boolean) => {
    collect();
    if (isQuiet) trim?.();
    if (tries < TRIES) return;
    needed = resident();
    tries = 0;
  };
  const timer = setInterval(look, lookMs).unref();
  return () => clearInterval(timer);
}

/** V8's collection of everything. A program has it when the flag was set as its context was made. */
export function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
