import { setTimeout as sleep } from "node:timers/promises";
import { fetchStatus, gatewayFailure } from "@rhone/client";
import { askOperations, type ClusterStatus, RhoneError, type WorkerStatus } from "@rhone/common";
import type { Command } from "commander";
import { clusterSecretOf, securityOf } from "../cluster/cluster-security.js";
import { runningCluster, urlOfCluster } from "../cluster/find-cluster.js";
import { loadingOf } from "../cluster/format-status.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { TaskLine } from "../terminal/task-line.js";
import { addDataDirFlag } from "./flags.js";

interface DrainOptions {
  readonly dataDir?: string;
  readonly json?: boolean;
}

const LOOK_MS = 500;
const READY_MS = 60_000;

const ABOUT = `
The worker serves on until others hold its layers; then requests wait for a prefill. It stays joined
without layers: stop it whenever you like (\`rhone leave\` on its machine). It takes layers again once
its process is started again: by \`rhone join\` there, or by \`rhone restart worker-N\` for one of this
machine. One that is stopped in order (SIGTERM) hands its layers over itself.`;

export function addDrainCommand(program: Command, signal: AbortSignal): void {
  addDataDirFlag(program.command("drain").argument("<worker>", "name from `rhone status`, or how it begins"))
    .description("take a worker's layers away, without a pause for those that it serves")
    .option("--json", "print JSON")
    .addHelpText("after", ABOUT)
    .action(async (name: string, { dataDir, json }: DrainOptions) => {
      const context = commandContext(dataDir, signal);
      const { worker, coordinator, wasDrained } = await drain(name, context);
      const { model, workers } = coordinator;
      if (json === true) console.log(JSON.stringify({ worker, state: "drained", workers: workers.map(placeOf) }));
      else {
        const done = wasDrained ? `${worker} was drained already` : `drained ${worker}`;
        console.log(`${done}: ${holdersOf(coordinator)} of ${model.name}. It can be stopped now.`);
      }
    });
}

interface Found {
  readonly worker: string;
  readonly coordinator: ClusterStatus;
}

interface Drained extends Found {
  /** Before this command. */
  readonly wasDrained: boolean;
}

/** Returns the coordinator's status once the worker has no layers and the others serve. */
async function drain(name: string, { dataDir, signal, rhone }: CommandContext): Promise<Drained> {
  const { joined, operator } = await runningCluster(dataDir);
  if (joined !== undefined) {
    const where = `This machine is a member of the cluster at ${joined}: drain its workers on the machine that made it`;
    throw new RhoneError("INVALID_CONFIG", `${where}, or end this one's part in order with: ${rhone("leave")}`);
  }
  const url = await urlOfCluster(dataDir);
  const clusterSecret = clusterSecretOf(dataDir);
  const coordinators = async () => (await fetchStatus(url, { clusterSecret, signal })).coordinators;
  const { worker, coordinator } = findWorker(name, await coordinators());
  const wasDrained = coordinator.workers.find((each) => each.worker === worker)?.going === "drained";
  const security = securityOf(dataDir, { operator });
  const line = new TaskLine(process.stderr);
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const statusOf = async () => (await coordinators()).find((each) => each.coordinator === coordinator.coordinator);
  try {
    line.begin(`draining ${worker}`);
    void showLoads(line, { statusOf, signal: either });
    const path = `/drain?worker=${encodeURIComponent(worker)}`;
    const { operations } = coordinator;
    const { code, body } = await askOperations(operations, path, { security, signal, method: "POST" }).catch(
      (cause) => {
        signal.throwIfAborted();
        throw new RhoneError("UNREACHABLE", `The coordinator at ${operations} does not answer: ${cause}.`, { cause });
      },
    );
    if (code !== 200) throw gatewayFailure(body, code);
    return { worker, coordinator: await whenReady(statusOf, { worker, signal }), wasDrained };
  } finally {
    over.abort();
    line.close();
    security.close();
  }
}

/** By its whole name, else by how it begins. Throws NOT_FOUND, and INVALID_CONFIG for one of several. */
export function findWorker(name: string, coordinators: readonly ClusterStatus[]): Found {
  const all = coordinators.flatMap((coordinator) => coordinator.workers.map(({ worker }) => ({ worker, coordinator })));
  const whole = all.filter(({ worker }) => worker === name);
  const named = whole.length > 0 ? whole : all.filter(({ worker }) => worker.startsWith(name));
  const [found, ...others] = named;
  const list = (which: readonly Found[]): string => which.map(({ worker }) => worker).join(", ");
  if (found === undefined) {
    const there = all.length === 0 ? "no worker has joined" : `there are ${list(all)}`;
    throw new RhoneError("NOT_FOUND", `No worker is called ${name}; ${there}.`);
  }
  if (others.length === 0) return found;
  throw new RhoneError("INVALID_CONFIG", `Several workers are meant by ${name}: ${list(named)}. Give the whole name.`);
}

type StatusOf = () => Promise<ClusterStatus | undefined>;

/** Shows what is being loaded until `signal` aborts. Never rejects. */
async function showLoads(
  line: TaskLine,
  { statusOf, signal }: { readonly statusOf: StatusOf; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const { workers = [] } = (await statusOf().catch(() => undefined)) ?? {};
    const loads = workers.flatMap((each) => (loadingOf(each) === "" ? [] : [`${each.worker}: ${loadingOf(each)}`]));
    if (loads.length > 0 && !signal.aborted) line.begin(`loading layers on ${loads.join("; ")}`);
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}

/** The next epoch begins soon, and a coordinator publishes its status each second. At the latest after a minute. */
async function whenReady(
  statusOf: StatusOf,
  { worker, signal }: { readonly worker: string; readonly signal: AbortSignal },
): Promise<ClusterStatus> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const status = await statusOf();
    const drained = status?.workers.find((each) => each.worker === worker);
    const isReady = status?.state === "ready" && (drained === undefined || drained.layers === null);
    if (status !== undefined && (isReady || performance.now() > deadline)) return status;
    await sleep(LOOK_MS, undefined, { signal });
  }
}

const placeOf = ({ worker, layers, going }: WorkerStatus) => ({ worker, layers, ...(going && { state: going }) });

function holdersOf({ workers }: ClusterStatus): string {
  const holders = workers.flatMap(({ worker, layers }) => (layers === null ? [] : [{ worker, layers }]));
  const inOrder = holders.toSorted((a, b) => a.layers[0] - b.layers[0]);
  if (inOrder.length === 0) return "nobody has layers";
  return inOrder.map(({ worker, layers: [first, last] }) => `${worker} has layers ${first}-${last - 1}`).join(", ");
}
