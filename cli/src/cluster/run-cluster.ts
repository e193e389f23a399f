import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  formatBytes,
  hostPort,
  isEveryInterface,
  loopbackOf,
  MemoryClaim,
  RhoneError,
  type Security,
  toRhoneError,
} from "@rhone/common";
import { type CliConfig, commandWriter, quoted } from "../config.js";
import { createDataDir, type DataDir, dataDirAt } from "../data-dir.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import { claimLaunch, hintAfter, type LaunchPlan, type PipelinePlan } from "../launch/launch-plan.js";
import { singleWorkerHint } from "../planning/single-worker-hint.js";
import type { EntryPoints } from "../processes/entry-points.js";
import { checkPortIsFree } from "../processes/ports.js";
import { endProcesses } from "../processes/process-identity.js";
import { chooseRedis } from "../redis/choose-redis.js";
import { endLeftoverRedis } from "../redis/leftover-redis.js";
import { planRedis } from "../redis/redis-plan.js";
import { admitMachines } from "./admit-machines.js";
import { asksForKeys } from "./asks-for-keys.js";
import { boundLogs } from "./bound-logs.js";
import { checkSettings } from "./check-settings.js";
import { Cluster } from "./cluster.js";
import { ClusterClaim, type RecordedProcess } from "./cluster-record.js";
import { securityOf } from "./cluster-security.js";
import { recordFailure } from "./last-failure.js";
import type { Report } from "./progress.js";
import { readStatus } from "./watch-pipeline.js";

export interface RunRequest {
  readonly options: ClusterOptions;
  readonly config: CliConfig;
  readonly entryPoints: EntryPoints;
  readonly report: Report;
  /** Stops the cluster in order. */
  readonly stop: AbortSignal;
  /** Kills it. */
  readonly kill: AbortSignal;
}

/**
 * Runs a cluster until `stop`, with this process as its supervisor, and reports progress up to `ready`. None of its
 * processes is left when this returns or throws. Throws PORT_IN_USE, ALREADY_RUNNING, MODEL_NOT_FOUND and the error of
 * a service that can't be kept running.
 */
export async function runCluster(request: RunRequest): Promise<void> {
  const { options, report } = request;
  const dataDir = dataDirAt(options.dataDir);
  await createDataDir(dataDir);
  const asked = [options.model, ...(options.moreModels ?? [])].join(", ");
  report({ kind: "phase", phase: "model", text: `looking for ${asked}`, done: false });
  const memory = new MemoryClaim();
  try {
    await runPlanned(request, await claimLaunch(options, dataDir, memory));
  } finally {
    memory.close();
  }
}

async function runPlanned(request: RunRequest, plan: LaunchPlan): Promise<void> {
  const { options, config, report } = request;
  const dataDir = dataDirAt(options.dataDir);
  const choice = await chooseRedis({ url: config.redisUrl, searchPath: config.searchPath });
  const redis = await planRedis(choice, dataDir, loopbackOf(options.host));
  checkSettings({ config, options, plan, redis, dataDir, entryPoints: request.entryPoints });
  const about = {
    url: urlOf(options.host, options.port),
    model: plan.models[0].name,
    redis: redis.description,
    redisUrl: redis.url,
    inMemory: redis.host?.inMemory ?? false,
  };
  const claim = await ClusterClaim.take(dataDir, about, endProcesses);
  const endOfLogs = boundLogs(dataDir.logs);
  try {
    await prepare(options, dataDir, claim);
    const password = redis.host?.password;
    if (password !== undefined) await writeFile(dataDir.redisPassword, `${password}\n`, { mode: 0o600 });
    tellPlan(plan, report, options.simulate !== undefined);
    if (options.simulate !== undefined) report({ kind: "note", text: SIMULATED });
    const hint = await hintAfter(options, dataDir);
    if (hint !== undefined) report({ kind: "note", text: hint });
    const onProcesses = (services: readonly RecordedProcess[]) => void claim.update({ services });
    const admission = options.listen === undefined ? null : await admitMachines({ options, plan, redis, report });
    try {
      await claim.update({ door: admission?.address, operator: admission?.operator });
      const security = securityOf(dataDir, { operator: admission?.operator });
      const sources = { ...request, plan, redis, dataDir, security, listening: admission?.listening, onProcesses };
      const cluster = new Cluster({ ...sources, onCoordinators: (pipelines) => admission?.send(pipelines) });
      await live(cluster, claim, { request, plan, security, onUp: (url) => admission?.watch(url) });
    } finally {
      await admission?.close();
    }
  } catch (error) {
    if (!request.stop.aborted) await recordFailure(dataDir, toRhoneError(error));
    throw error;
  } finally {
    endOfLogs();
    await endLeftoverRedis(dataDir.run);
    await claim.release();
  }
}

function tellPlan({ models, pipelines }: LaunchPlan, report: Report, isSimulated: boolean): void {
  for (const model of models) {
    const [first, ...replicas] = pipelines.filter((pipeline) => pipeline.model === model);
    const copies = replicas.length === 0 ? "" : `, ${replicas.length + 1} replicas`;
    report({ kind: "phase", phase: "model", text: `${model.description}${copies}`, done: true });
    if (first !== undefined && first.why !== null) report({ kind: "note", text: first.why });
    const limit = first === undefined || isSimulated ? null : describeLimit(first);
    if (limit !== null) report({ kind: "note", text: limit });
    if (model.chatRefusal !== undefined) report({ kind: "warning", text: model.chatRefusal });
  }
}

function describeLimit({ workers, memory, memoryFrom }: PipelinePlan): string | null {
  if (memory === undefined) return null;
  return `${workers === 1 ? "The" : "Each"} worker may use ${formatBytes(memory)}: ${memoryFrom}.`;
}

const SIMULATED = "Simulated: no weights are loaded, nothing is computed, and the tokens are meaningless.";

/** A killed process is a zombie before the system has closed its sockets: a second on a machine with much to do. */
const PREDECESSOR_MS = 5000;

/** After the claim, since it would harm another cluster in the same directory. */
async function prepare(options: ClusterOptions, dataDir: DataDir, { hasPredecessor }: ClusterClaim): Promise<void> {
  await checkPortIsFree(options, { withinMs: hasPredecessor ? PREDECESSOR_MS : 0 });
  await rm(dataDir.failureFile, { force: true });
  await rotateLogs(dataDir.logs);
}

/**
 * Keeps the last run's logs as NAME.log.1; each run begins with empty ones. The supervisor's own is open already and
 * goes on from run to run.
 */
async function rotateLogs(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".log") && file !== "supervisor.log");
  await Promise.all(files.map((file) => rename(join(folder, file), join(folder, `${file}.1`))));
}

interface Life extends Omit<WhenReady, "url"> {
  /** Called with the URL of the gateway. */
  readonly onUp: (url: string) => void;
}

async function live(cluster: Cluster, claim: ClusterClaim, { request, plan, security, onUp }: Life): Promise<void> {
  const { options, report, stop, kill } = request;
  kill.addEventListener("abort", () => cluster.kill(), { once: true });
  const stopped = new Promise<null>((resolve) => {
    if (stop.aborted) resolve(null);
    stop.addEventListener("abort", () => resolve(null), { once: true });
  });
  try {
    const address = await Promise.race([cluster.start(), stopped]);
    if (address === null) throw new RhoneError("CANCELLED", "The cluster was stopped before it was ready.");
    const url = urlOf(options.host, portIn(address));
    await claim.update({ state: "ready", url, operations: cluster.operations });
    onUp(url);
    for (const text of await hintsWhenReady(cluster, { url, security, plan, request })) report({ kind: "note", text });
    report({ kind: "ready", url });
    const failure = await Promise.race([cluster.failed, stopped]);
    if (failure !== null) throw failure;
  } finally {
    await claim.update({ state: "stopping" });
    await cluster.stop();
  }
}

interface WhenReady {
  readonly url: string;
  readonly security: Security;
  readonly plan: LaunchPlan;
  readonly request: RunRequest;
}

async function hintsWhenReady(
  { operations }: Cluster,
  { url, security, plan, request: { options, stop } }: WhenReady,
): Promise<readonly string[]> {
  const rhone = commandWriter(options.dataDir);
  const isAlone = plan.pipelines.length === 1;
  const status = isAlone ? await readStatus(operations, { security, signal: stop }) : null;
  const hint = status === null ? null : singleWorkerHint(status, rhone(`plan --model ${quoted(options.model)}`));
  const needsKeys = await asksForKeys(url);
  return [
    ...(hint === null ? [] : [hint]),
    ...(needsKeys === false && isEveryInterface(options.host) ? [OPEN] : []),
    ...(needsKeys === true ? [`Requests need an API key. Create one with: ${rhone("keys create NAME")}`] : []),
  ];
}

const OPEN = "All who reach this machine can send requests, without an API key; --auth keys asks for one.";

const portIn = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));

/** The URL for a client on this machine. */
export function urlOf(host: string, port: number): string {
  return `http://${hostPort(isEveryInterface(host) ? loopbackOf(host) : host, port)}`;
}
