import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError } from "@rhone/common";
import type { Asking } from "../chaos/asked-stream.js";
import { type ChaosFigures, failuresOf, figuresOf } from "../chaos/chaos-figures.js";
import { EpochWatch } from "../chaos/epoch-watch.js";
import { FAULT_KINDS, type Fault, type FaultKind, type FaultTargets, planFaults, targetsOf } from "../chaos/faults.js";
import { evidenceOf } from "../chaos/hang-evidence.js";
import { whyNoResets } from "../chaos/links.js";
import { askKnown, ChaosLoad } from "../chaos/load.js";
import type { BreakableCluster } from "../chaos/local-cluster.js";
import { questionsOf } from "../chaos/questions.js";
import { NotBack, Striker } from "../chaos/striker.js";
import { amount, count, flag, names, range, type ScenarioOptions, type ValuesOf } from "../options.js";
import { type BenchContext, defineScenario } from "../scenario.js";
import { chaosTables } from "./chaos-tables.js";

const options = {
  faults: count("faults to make", 1000),
  seed: count("seed of the faults, their moments and the requests", 1, 0),
  kinds: names("kinds of faults to make; stop: SIGSTOP of any process", FAULT_KINDS),
  pauseMs: range("ms between two faults", [500, 8000]),
  stopMs: range("ms that a stopped process stays so, if nobody wakes it", [5000, 60_000]),
  partMs: range("ms that a partition lasts, or a cable is pulled", [1000, 30_000]),
  hosts: flag("spread the cluster over hosts of their own (network namespaces): Redis, the coordinator, each worker"),
  apart: flag("wait before each fault until every stream has gone on after the one before"),
  minutes: amount("minutes after which no further fault is made; 0 = no limit", 0),
  clients: count("clients that stream", 8),
  variants: count("prompts and seeds of each kind of request", 3),
  maxTokens: count("tokens of an answer, at most", 160),
  batchLines: count("lines of the batches, one batch after another; 0 = no batches", 60, 0),
  patience: count("seconds without a token, a line of a batch or a fault, after which a request hangs", 180),
  keep: flag("keep the cluster's data directory, with its logs"),
} as const satisfies ScenarioOptions;

type Values = ValuesOf<typeof options>;

/** Requests with known answers while processes are killed and stopped and connections reset. */
export const chaos = defineScenario({
  name: "chaos",
  description: "faults at random moments of a seed: tokens and lines lost or doubled, gaps by kind of fault",
  clusters: "own",
  examples: [
    {
      flags: "--spawn --hosts --workers 3 --faults 300 --seed 5",
      about: "partitions and cables too, on network namespaces; needs root",
    },
    { flags: "--spawn --workers 3 --faults 100 --seed 7", about: "a hundred faults, in ten minutes" },
    {
      flags: "--spawn --workers 3 --faults 50 --apart --kinds worker,coordinator",
      about: "one fault after another, for figures that no other fault disturbs",
    },
  ],
  options,
  run: (context, values) =>
    context.withBreakableCluster((cluster) => runChaos(context, cluster, values), {
      keeps: values.keep,
      hosts: values.hosts,
    }),
});

async function runChaos(context: BenchContext, cluster: BreakableCluster, values: Values) {
  const { signal, note } = context;
  const striker = new Striker({ cluster, signal });
  const asking: Asking = {
    url: cluster.url,
    patienceMs: values.patience * 1000,
    disturbedUntil: () => striker.disturbedUntil,
    evidenceOf: (request) => evidenceOf(cluster, request),
    signal,
  };
  const { model } = await checkedStatus(cluster);
  const { seed, variants, maxTokens } = values;
  const questions = questionsOf({ seed, model: model.name, vocabSize: model.vocabSize, variants, maxTokens });
  const { known, refused } = await askKnown(questions, asking);
  if (known.length === 0)
    throw new RhoneError("MEASUREMENT_VOID", `No request was answered: ${[...refused.values()][0]}`);
  note(`${known.length} requests have been answered undisturbed; their answers are known`);
  const processes = (await cluster.processes()).map(({ name }) => name);
  const targets = { processes, hosts: cluster.network?.hosts ?? [] };
  const without = await whyWithout(cluster, values.kinds, targets);
  const kinds = values.kinds.filter((kind) => !without.has(kind));
  if (kinds.length === 0)
    throw new RhoneError("INVALID_CONFIG", `No fault of --kinds can be made: ${[...without.values()][0]}.`);
  const faults = planFaults({ ...values, ...targets, kinds, eachMs: values.apart ? APART_MS : 0 });

  const startedAt = performance.now();
  const load = new ChaosLoad({ ...asking, known, ...values });
  const epochs = new EpochWatch(cluster);
  let endedBy: string | null = null;
  try {
    endedBy = await makeFaults(faults, { context, striker, load, values });
    note("no further faults; waiting for the requests under way");
    await striker.settled();
    await load.stop();
  } finally {
    await striker.close();
    await epochs.stop();
  }
  const { streams, batches } = load;
  const facts = { seed, skipped: { ...Object.fromEntries(without), ...Object.fromEntries(refused) }, endedBy };
  const seconds = (performance.now() - startedAt) / 1000;
  const record = { ...facts, streams, batches, struck: striker.struck, epochs: await epochs.stop(), seconds };
  const figures: ChaosFigures = figuresOf(record);
  return { figures, report: chaosTables(figures), fails: failuresOf(figures).length > 0 };
}

/** Throws INVALID_CONFIG for a cluster whose answers depend on what else it computes. */
async function checkedStatus(cluster: BreakableCluster) {
  const [status] = await cluster.status();
  if (status === undefined) throw new RhoneError("NOT_RUNNING", "The cluster has no coordinator.");
  const varying = status.workers.find(({ varies = "" }) => varies !== "");
  if (varying === undefined) return status;
  const problem = `Answers of this cluster depend on what else it computes (${varying.varies})`;
  throw new RhoneError(
    "INVALID_CONFIG",
    `${problem}, so none is known. Choose a model and kernels that are invariant.`,
  );
}

/** By kind of fault, why it is left out. */
async function whyWithout(cluster: BreakableCluster, kinds: readonly FaultKind[], targets: FaultTargets) {
  const without = new Map<FaultKind, string>();
  for (const kind of kinds) {
    const isOfHosts = kind === "part" || kind === "cable";
    if (targetsOf(kind, targets).length === 0)
      without.set(kind, isOfHosts ? "all processes are on one host; see --hosts" : "the cluster has no such process");
  }
  if (cluster.redisInMemory) {
    const why = "Redis is in memory, and what it holds ends with it; an installed redis-server keeps it";
    for (const kind of ["redis", "supervisor"] as const) if (kinds.includes(kind)) without.set(kind, why);
  }
  const noResets = kinds.includes("link") ? await whyNoResets() : null;
  if (noResets !== null) without.set("link", noResets);
  return without;
}

interface Making {
  readonly context: BenchContext;
  readonly striker: Striker;
  readonly load: ChaosLoad;
  readonly values: Values;
}

/** Why not all were made; null when they were, or when --minutes were over. */
async function makeFaults(
  faults: readonly Fault[],
  { context, striker, load, values }: Making,
): Promise<string | null> {
  const { signal, note } = context;
  const deadline = values.minutes === 0 ? Number.POSITIVE_INFINITY : performance.now() + values.minutes * 60_000;
  for (const fault of faults) {
    const last = striker.struck.at(-1);
    if (values.apart && last !== undefined) await untilWell(striker, load, { since: last.at, signal });
    await sleep(fault.pauseMs, undefined, { signal });
    if (performance.now() > deadline) return null;
    try {
      const { name, target } = await striker.strike(fault);
      note(`${fault.number} of ${faults.length}: ${name} (${target}); ${load.streams.length} streams have ended`);
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof NotBack || error instanceof RhoneError ? error.message : String(error);
      return `After fault ${fault.number - 1} of ${faults.length}: ${why}`;
    }
  }
  return null;
}

/** With `--apart` streams go on this long after a fault, at the soonest but for a reset. */
const APART_MS = 2000;
/** No client waits for longer than usual. */
const QUIET_MS = 1000;
const WELL_DEADLINE_MS = 180_000;

/** Waits until every client has got tokens since the last fault, and no process is stopped; three minutes at most. */
async function untilWell(striker: Striker, load: ChaosLoad, { since, signal }: { since: number; signal: AbortSignal }) {
  await striker.settled();
  const deadline = performance.now() + WELL_DEADLINE_MS;
  // A fault may take a moment to be felt: a stream has a gap once it has had no token for a while.
  await sleep(QUIET_MS, undefined, { signal });
  while (!load.goesOnSince(since + QUIET_MS, QUIET_MS) && performance.now() < deadline)
    await sleep(50, undefined, { signal });
}
