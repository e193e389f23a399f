import { setTimeout as sleep } from "node:timers/promises";
import type { Attack } from "../attacks/attack.js";
import { type Reply, Sender } from "../attacks/sender.js";
import type { Sighting } from "../watch/watch.js";
import type { BenchTarget } from "./bench-target.js";

/** Sees what another client sees; `take` tells what it saw since the last call. */
export interface Lookout {
  take(): Promise<Sighting>;
}

export interface AttackPace {
  /** Of watching before the attack. */
  readonly usualMs: number;
  /** The sender hangs up after this time. */
  readonly patienceMs: number;
  /** Longest wait for memory to be back, and for streams to flow again. */
  readonly afterMs: number;
}

/** Bytes resident in a process on this machine. */
export interface ProcessMemory {
  readonly name: string;
  readonly before: number;
  readonly most: number;
  /** When it was back, or `afterMs` after the attack. 0: the process has ended. */
  readonly after: number;
}

export interface AttackFigures {
  readonly attack: string;
  /** The longest gap of another stream in `usualMs` before the attack, and from its beginning on. */
  readonly usualGapMs: number;
  readonly gapMs: number;
  /** From sending a new stream to its first chunk, at most; 0 when none was sent during the attack. */
  readonly beginMs: number;
  readonly healthMs: number;
  /** Streams of another client that failed. */
  readonly broken: number;
  /** Times at which the pipeline was lost; null where the coordinators' counters are out of reach. */
  readonly losses: number | null;
  readonly memory: readonly ProcessMemory[];
  readonly seconds: number;
  /** Answers by status and code, with their number. */
  readonly replies: Readonly<Record<string, number>>;
}

/** Memory that is back to this much of what it was counts as given back. */
const BACK = 1.2;
const LOOK_MS = 500;
/** A stream that flows has no longer gap. */
const FLOWING_MS = 1000;

/** Sends one attack and reports what another client saw, what it cost, and what the sender got. */
export async function measureAttack(
  { target, watcher }: { readonly target: BenchTarget; readonly watcher: Lookout },
  attack: Attack,
  pace: AttackPace,
): Promise<AttackFigures> {
  const { signal } = target.connection;
  await watcher.take();
  await sleep(pace.usualMs, undefined, { signal });
  const usual = await watcher.take();
  const lossesBefore = await lossesOf(target);
  const sentAt = performance.now();
  const replies = await send(attack, target, pace.patienceMs);
  const seconds = (performance.now() - sentAt) / 1000;
  const seen = [await watcher.take(), ...(await untilBack(watcher, usual, { ms: pace.afterMs, signal }))];
  const lossesAfter = await lossesOf(target);
  return {
    attack: attack.name,
    usualGapMs: usual.gapMs,
    gapMs: Math.max(...seen.map(({ gapMs }) => gapMs)),
    beginMs: Math.max(...seen.map(({ beginMs }) => beginMs)),
    healthMs: Math.max(...seen.map(({ healthMs }) => healthMs)),
    broken: seen.reduce((sum, { broken }) => sum + broken, 0),
    losses: lossesBefore === null || lossesAfter === null ? null : lossesAfter - lossesBefore,
    memory: target.processes().map(({ pid, name }) => memoryOf(pid, name, [usual, ...seen])),
    seconds,
    replies: countsOf(replies),
  };
}

async function send(attack: Attack, target: BenchTarget, patienceMs: number): Promise<readonly Reply[]> {
  const { signal, url, apiKey } = target.connection;
  const giveUp = new AbortController();
  // Not AbortSignal.timeout: Node 20 may collect one that only AbortSignal.any holds, and it never fires then.
  const timer = setTimeout(() => giveUp.abort(), patienceMs);
  const sender = new Sender({ url, apiKey, signal: AbortSignal.any([signal, giveUp.signal]) });
  try {
    return await attack.send(sender, target.status.model);
  } finally {
    clearTimeout(timer);
    sender.close();
  }
}

interface Patience {
  readonly ms: number;
  readonly signal: AbortSignal;
}

/** What is seen until memory is back and the stream flows, at most for the given time. */
async function untilBack(watcher: Lookout, usual: Sighting, { ms, signal }: Patience): Promise<readonly Sighting[]> {
  const seen: Sighting[] = [];
  for (const from = performance.now(); performance.now() - from < ms; ) {
    await sleep(Math.min(LOOK_MS, ms), undefined, { signal });
    const now = await watcher.take();
    seen.push(now);
    const isBack = Object.entries(now.memory).every(([pid, { last }]) => last <= BACK * lastOf(usual, Number(pid)));
    if (isBack && Math.max(now.gapMs, now.beginMs) < FLOWING_MS) break;
  }
  return seen;
}

const lastOf = ({ memory }: Sighting, pid: number): number => memory[pid]?.last ?? Number.POSITIVE_INFINITY;

function memoryOf(pid: number, name: string, seen: readonly Sighting[]): ProcessMemory {
  const [usual, ...during] = seen.map(({ memory }) => memory[pid]);
  const most = Math.max(0, ...during.map((each) => each?.most ?? 0));
  return { name, before: usual?.last ?? 0, most, after: during.at(-1)?.last ?? 0 };
}

async function lossesOf(target: BenchTarget): Promise<number | null> {
  const samples = await target.scrape().catch(() => null);
  return samples?.coordinators.sum("rhone_pipeline_losses_total") ?? null;
}

/** "400 invalid_value" -> 3. */
function countsOf(replies: readonly Reply[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, code } of replies) {
    const key = [status === 0 ? "no answer" : status, code].filter((part) => part !== null).join(" ");
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
