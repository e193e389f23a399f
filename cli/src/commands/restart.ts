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
  /** Until it, and every pipeline, was ready again. */
  readonly ms: number;
}

const LOOK_MS = 200;
/** A worker hands its layers over, and its successor loads them. */
const READY_MS = 15 * 60_000;
const ANSWER_MS = 5000;

const ABOUT = `
Without names: all workers, coordinators, Redis and the gateway, in this order; the supervisor
goes on. Each is stopped in order, as by SIGTERM, and the next one follows once it and all
pipelines are ready again. Streams pause for seconds and go on. A Redis in memory is left out
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
  const { dataDir } = context;
  const before = await standing(context);
  const isOf = (each: RecordedProcess): boolean => each.name === name;
  const old = (await runningCluster(dataDir)).services.filter(isOf);
  for (const each of old) askToEnd(each);
  const isOld = ({ pid }: RecordedProcess): boolean => old.some((each) => each.pid === pid);
  const isReplaced = async (): Promise<boolean> => {
    const now = (await readClusterRecord(dataDir))?.services.filter(isOf) ?? [];
    return now.some((each) => !isOld(each) && isAlive(each));
  };
  const isCoordinator = placeOf(name) === ORDER.indexOf("coordinator");
  const isReady = async (): Promise<boolean> => {
    if (!(await isReplaced())) return false;
    const now = await standing(context).catch(() => null);
    if (now === null || now.ready.length < before.ready.length || now.workers < before.workers) return false;
    if (old.some(({ pid }) => pid === now.gatewayPid)) return false; // it serves until its successor is ready
    // For a moment, Redis may have the status of the one before.
    return !isCoordinator || now.ready.some((id) => !before.ready.includes(id));
  };
  const deadline = performance.now() + READY_MS;
  // A status may be of the moment before: two in a row are believed.
  for (let looks = 0; looks < 2; looks = (await isReady()) ? looks + 1 : 0) {
    context.signal.throwIfAborted();
    if (performance.now() > deadline) {
      const logs = context.rhone(`logs ${name}`);
      throw new RhoneError(
        "NO_PIPELINE",
        `${name} is not ready after ${READY_MS / 60_000} min. \`${logs}\` may show why.`,
      );
    }
    await sleep(LOOK_MS, undefined, { signal: context.signal });
  }
}

interface Standing {
  readonly gatewayPid: number | undefined;
  /** Coordinators with a pipeline that is ready. */
  readonly ready: readonly string[];
  /** Workers that have joined them. */
  readonly workers: number;
}

async function standing({ dataDir, signal }: CommandContext): Promise<Standing> {
  const { url } = await runningCluster(dataDir);
  const within = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const clusterSecret = clusterSecretOf(dataDir);
  const { coordinators, gateway } = await fetchStatus(url, { clusterSecret, signal: within });
  const ready = coordinators.filter(({ state }) => state === "ready");
  return {
    gatewayPid: gateway?.pid,
    ready: ready.map(({ coordinator }) => coordinator),
    workers: ready.reduce((sum, { workers }) => sum + workers.length, 0),
  };
}
