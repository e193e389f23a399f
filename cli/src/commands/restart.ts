import { setTimeout as sleep } from "node:timers/promises";
import { fetchStatus } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { type ClusterRecord, type RecordedProcess, readClusterRecord } from "../cluster/cluster-record.js";
import { clusterSecretOf } from "../cluster/cluster-security.js";
import { runningCluster } from "../cluster/find-cluster.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { askToEnd, isAlive } from "../processes/process-identity.js";
import { TaskLine } from "../terminal/task-line.js";
import { addDataDirFlag } from "./flags.js";

interface RestartOptions {
  readonly dataDir?: string;
  readonly json?: boolean;
}

interface Restarted {
  readonly name: string;
  /** Until it and every pipeline were ready again, and the sequences that had run had had a token again. */
  readonly ms: number;
}

const LOOK_MS = 200;
/** A worker hands its layers over, and its successor loads them. */
const READY_MS = 15 * 60_000;
/** For sequences that ran before to have a token again, while pipelines are ready: as long as they wait for one. */
const TOKENS_MS = 120_000;
/** For a coordinator to take the jobs of the one before; those that have ended meanwhile do not come. */
const JOBS_MS = 5000;
/** Each coordinator publishes its status once in this time at least. */
const PUBLISHED_MS = 1000;
const ANSWER_MS = 5000;

const ABOUT = `
Without names: all workers, coordinators, Redis and the gateway, in this order; the supervisor
goes on. Each is stopped in order, as by SIGTERM, and the next one follows once it and all
pipelines are ready again and each stream that ran has had a token since: a stream pauses for
seconds, once for each process, and goes on. A Redis in memory is left out
unless it is named: what it holds would be lost.

Examples:
  rhone restart                       everything
  rhone restart worker-1 coordinator  these two`;

export function addRestartCommand(program: Command, signal: AbortSignal): void {
  addDataDirFlag(program.command("restart").argument("[names...]", "processes, as `rhone status` lists them"))
    .description("restart the cluster's processes one after another, without an error for clients")
    .option("--json", "print JSON")
    .addHelpText("after", ABOUT)
    .action(async (names: readonly string[], { dataDir, json }: RestartOptions) => {
      const restarted = await restart(names, commandContext(dataDir, signal));
      if (json === true) console.log(JSON.stringify({ restarted }));
      else for (const { name, ms } of restarted) console.log(`restarted ${name} in ${(ms / 1000).toFixed(1)} s`);
    });
}

async function restart(names: readonly string[], context: CommandContext): Promise<readonly Restarted[]> {
  const { dataDir, signal, rhone } = context;
  const record = await runningCluster(dataDir);
  if (record.joined !== undefined) {
    const advice = `end this machine's part in order with \`${rhone("leave")}\`, and join again`;
    throw new RhoneError("INVALID_CONFIG", `This machine is a member of the cluster at ${record.joined}: ${advice}.`);
  }
  if (!isAlive(record.supervisor)) {
    const advice = `stop what is left with \`${rhone("down")}\` and start the cluster again`;
    throw new RhoneError("NOT_RUNNING", `The supervisor is gone, so nothing would be started again: ${advice}.`);
  }
  const line = new TaskLine(process.stderr);
  const restarted: Restarted[] = [];
  try {
    for (const name of chosen(names, record)) {
      line.begin(`restarting ${name}`);
      const startedAt = performance.now();
      await restartOne(name, context);
      signal.throwIfAborted();
      restarted.push({ name, ms: Math.round(performance.now() - startedAt) });
    }
  } finally {
    line.close();
  }
  return restarted;
}

const ORDER = ["worker", "coordinator", "redis", "gateway"] as const;
const placeOf = (name: string): number => ORDER.findIndex((role) => name === role || name.startsWith(`${role}-`));

/** The names in the order in which they are restarted. Throws NOT_FOUND for a name that no process has. */
export function chosen(
  names: readonly string[],
  { services, inMemory }: Pick<ClusterRecord, "services" | "inMemory">,
): readonly string[] {
  const all = [...new Set(services.map(({ name }) => name))].toSorted((a, b) => placeOf(a) - placeOf(b));
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new RhoneError("NOT_FOUND", `No process to restart is called ${unknown}; there are ${all.join(", ")}.`);
  }
  return names.length > 0
    ? all.filter((name) => names.includes(name))
    : all.filter((name) => name !== "redis" || !inMemory);
}

async function restartOne(name: string, context: CommandContext): Promise<void> {
  const { dataDir, signal } = context;
  const before = await standing(context);
  const isOf = (each: RecordedProcess): boolean => each.name === name;
  const old = (await runningCluster(dataDir)).services.filter(isOf);
  const stoppedAtMs = Date.now();
  // A gateway that still finishes its streams would break them off when it is asked again.
  for (const each of old) if (each.isEnding !== true) askToEnd(each);
  const isOld = ({ pid }: RecordedProcess): boolean => old.some((each) => each.pid === pid);
  const isReplaced = async (): Promise<boolean> => {
    const now = (await readClusterRecord(dataDir))?.services.filter(isOf) ?? [];
    return now.some((each) => !isOld(each) && isAlive(each));
  };
  const wait = new RestartWait(before, {
    isCoordinator: placeOf(name) === ORDER.indexOf("coordinator"),
    oldPids: old.map(({ pid }) => pid),
    stoppedAtMs,
  });
  for (;;) {
    signal.throwIfAborted();
    const now = (await isReplaced()) ? await standing(context).catch(() => null) : null;
    const why = wait.look(now, performance.now());
    if (why === null) return;
    if (why !== undefined) throw lateError(name, why, context);
    await sleep(LOOK_MS, undefined, { signal });
  }
}

function lateError(name: string, why: string, { rhone }: CommandContext): RhoneError {
  const look = `\`${rhone("status")}\` and \`${rhone(`logs ${name}`)}\` may show why`;
  return new RhoneError(
    "NO_PIPELINE",
    `${name} was restarted, but ${why}. ${look}; the processes after it were left as they are.`,
  );
}

export interface Standing {
  readonly gatewayPid: number | undefined;
  /** Coordinators with a pipeline that is ready. */
  readonly ready: readonly {
    readonly id: string;
    readonly updatedAtMs: number;
    readonly workers: number;
    /** Sequences that it has. */
    readonly sequences: number;
    /** Of them: those that ran when their pipeline was lost and have had no token since. */
    readonly interrupted: number;
    /** Unix milliseconds at which the first of their requests arrived; absent: it does not say. */
    readonly oldestInterruptedAtMs?: number | undefined;
  }[];
}

const sumOf = (each: readonly number[]): number => each.reduce((sum, count) => sum + count, 0);

export interface RestartFacts {
  /** A coordinator is restarted. */
  readonly isCoordinator: boolean;
  /** Of the processes that are replaced. */
  readonly oldPids: readonly number[];
  /** When these were asked to end, in Unix milliseconds. Sequences whose requests came later are not waited for. */
  readonly stoppedAtMs: number;
}

/** Decides when a restart is over: nobody waits for it any more. */
export class RestartWait {
  readonly #before: Standing;
  readonly #facts: RestartFacts;
  #beganAt: number | undefined;
  /** How long all was ready, in all, and when that was seen last; undefined: it is not ready now. */
  #readyMs = 0;
  #readyAt: number | undefined;
  /** When each coordinator had published what was the first of it to say that all is well. */
  readonly #well = new Map<string, number>();

  constructor(before: Standing, facts: RestartFacts) {
    this.#before = before;
    this.#facts = facts;
  }

  /**
   * Null: it is over; undefined: not yet; else why it is given up. `now`: null while the process or the status is away.
   * All is well when two statuses in a row say so: one may be of the moment before.
   */
  look(now: Standing | null, nowMs: number): string | null | undefined {
    this.#beganAt ??= nowMs;
    if (now === null || !this.#isReady(now)) {
      this.#well.clear();
      this.#readyAt = undefined;
      const isLate = nowMs - this.#beganAt > READY_MS;
      return isLate ? `it and the pipelines are not ready after ${READY_MS / 60_000} min` : undefined;
    }
    this.#readyMs += nowMs - (this.#readyAt ?? nowMs);
    this.#readyAt = nowMs;
    if (this.#lacksTokens(now) || !this.#hasJobs(now)) {
      this.#well.clear();
      const late = `sequences that ran before have had no token for ${TOKENS_MS / 1000} s since it was ready`;
      return this.#readyMs > TOKENS_MS ? late : undefined;
    }
    const isAgain = now.ready.every(({ id, updatedAtMs }) => {
      const first = this.#well.get(id) ?? updatedAtMs;
      this.#well.set(id, first);
      return updatedAtMs - first >= PUBLISHED_MS / 2;
    });
    return isAgain ? null : undefined;
  }

  #isReady({ ready, gatewayPid }: Standing): boolean {
    const before = this.#before.ready;
    if (ready.length < before.length) return false;
    if (sumOf(ready.map((each) => each.workers)) < sumOf(before.map((each) => each.workers))) return false;
    const { oldPids, isCoordinator } = this.#facts;
    if (gatewayPid !== undefined && oldPids.includes(gatewayPid)) return false; // until its successor is ready
    // For a moment, Redis may have the status of the one before.
    return !isCoordinator || ready.some(({ id }) => before.every((each) => each.id !== id));
  }

  /** Later requests may have met another loss, which is not this restart's. */
  #lacksTokens({ ready }: Standing): boolean {
    const { stoppedAtMs } = this.#facts;
    return ready.some(
      ({ interrupted, oldestInterruptedAtMs = stoppedAtMs }) => interrupted > 0 && oldestInterruptedAtMs <= stoppedAtMs,
    );
  }

  /** A coordinator knows its sequences once it has taken their jobs. */
  #hasJobs({ ready }: Standing): boolean {
    if (!this.#facts.isCoordinator || this.#readyMs > JOBS_MS) return true;
    const count = (each: Standing["ready"]): number => sumOf(each.map(({ sequences }) => sequences));
    return count(ready) >= count(this.#before.ready);
  }
}

async function standing({ dataDir, signal }: CommandContext): Promise<Standing> {
  const { url } = await runningCluster(dataDir);
  const within = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const clusterSecret = clusterSecretOf(dataDir);
  const { coordinators, gateway } = await fetchStatus(url, { clusterSecret, signal: within });
  const ready = coordinators.filter(({ state }) => state === "ready");
  return {
    gatewayPid: gateway?.pid,
    ready: ready.map(({ coordinator, updatedAtMs, workers, sequences }) => {
      const { running, waiting, interrupted = 0, oldestInterruptedAtMs } = sequences;
      const waited = { sequences: running + waiting, interrupted, oldestInterruptedAtMs };
      return { id: coordinator, updatedAtMs, workers: workers.length, ...waited };
    }),
  };
}
