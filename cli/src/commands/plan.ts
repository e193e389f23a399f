import { hostname } from "node:os";
import { type ClusterStatus, RhoneError, toRhoneError } from "@rhone/common";
import { openEngine } from "@rhone/ggml";
import { Command, InvalidArgumentError, Option } from "commander";
import type { ClusterRecord } from "../cluster/cluster-record.js";
import { securityOf } from "../cluster/cluster-security.js";
import { runningCluster } from "../cluster/find-cluster.js";
import { readStatus } from "../cluster/watch-pipeline.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { checkHardware } from "../launch/check-hardware.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import { type Machine, type MemoryOfWorkers, memoryOf, threadsOf } from "../launch/default-workers.js";
import { type Division, divideMachine, thisMachine } from "../launch/launch-plan.js";
import { linkSpeed, positiveList } from "../option-parsers.js";
import { formatPlan } from "../planning/format-plan.js";
import { planMachine } from "../planning/plan-machine.js";
import { type PlanReport, type PredictionRequest, reportRunning } from "../planning/plan-report.js";
import { openPlannedModel } from "../planning/planned-model.js";
import { CALIBRATION_ENTRY } from "../processes/entry-points.js";
import { TaskLine } from "../terminal/task-line.js";
import { addDataDirFlag, addMachineFlags, MODEL_HELP } from "./flags.js";

interface PlanOptions extends Omit<ClusterOptions, "dataDir" | "host" | "port" | "model"> {
  readonly model?: string;
  readonly running?: boolean;
  readonly concurrency: readonly number[];
  /** Bytes per second. */
  readonly link?: number;
  readonly json?: boolean;
  readonly dataDir?: string;
}

const DEFAULT_MODEL = "breeze";

const EXAMPLES = `
Examples:
  rhone plan                            the running cluster's plan, and its predicted speed
  rhone plan --model llama-2-7b         times some layers, then plans; starts no cluster
  rhone plan --workers 4 --link 1G      the running cluster's model on four machines like this`;

export function addPlanCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("plan")
    .description("predict layers per worker, memory and speed of a model on this machine")
    .option("-m, --model <name|path>", `${MODEL_HELP}, downloaded or not (default: the running cluster's, else breeze)`)
    .option("--running", "the running cluster's plan, which is also the default without other options");
  addDataDirFlag(addMachineFlags(command))
    .addOption(
      new Option("--concurrency <list>", "numbers of streams to predict for, besides one; three at most")
        .argParser(streamCounts)
        .default([8, 32], "8,32"),
    )
    .option("--link <rate>", "bits per second, such as 1G, between workers on machines like this one", linkSpeed)
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: PlanOptions) => {
      const context = commandContext(options.dataDir, signal);
      const report = await planAsked(options, givenFlags(command), context);
      console.log(options.json === true ? JSON.stringify(report, null, 2) : formatPlan(report, context.style));
    });
}

/** "8,32" -> [8, 32] */
function streamCounts(text: string): readonly number[] {
  const counts = positiveList(text);
  if (counts.length > 3) throw new InvalidArgumentError("Give at most three numbers.");
  return counts;
}

/** The flags about the model and the machine that are on the command line. */
function givenFlags(command: Command): readonly Option[] {
  const machine = addMachineFlags(new Command()).options;
  return machine.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
}

/** Throws INVALID_CONFIG for options that contradict each other, NOT_RUNNING with --running and no cluster. */
async function planAsked(options: PlanOptions, given: readonly Option[], context: CommandContext): Promise<PlanReport> {
  const { model, running, concurrency, link = null } = options;
  const wanted = { streams: [1, ...concurrency], link };
  if (model !== undefined && running === true) {
    throw new RhoneError("INVALID_CONFIG", "Give --model or --running, not both.");
  }
  if (running === true && given.length > 0) {
    const flags = given.map(({ long }) => long).join(", ");
    const problem = `${flags} can't change the plan in force; leave --running out to plan its model with them.`;
    throw new RhoneError("INVALID_CONFIG", problem);
  }
  const asked = { ...options, model: model ?? DEFAULT_MODEL, dataDir: context.config.home, host: "", port: 0 };
  if (model !== undefined) return planHere(asked, context, wanted);
  const record = await runningCluster(context.dataDir).catch((error) => {
    if (running === true || toRhoneError(error).code !== "NOT_RUNNING") throw error;
    return null;
  });
  if (record === null) return planHere(asked, context, wanted);
  const status = await statusOf(record, context);
  if (given.length === 0) return planRunning(status, wanted);
  return planHere(asRunning(status, asked, { given, link }), context, wanted);
}

async function planHere(
  options: ClusterOptions,
  { config, dataDir, rhone, signal }: CommandContext,
  wanted: PredictionRequest,
): Promise<PlanReport> {
  const { device = "CPU", kernels = config.kernels } = options;
  checkHardware({ device, kernels, ggmlDir: config.ggmlDir });
  const model = await openPlannedModel(options.model, { modelsDir: dataDir.models, rhone });
  const tasks = new TaskLine(process.stderr);
  try {
    const machine = thisMachine();
    const shared = divideMachine(options, { model, entry: model.entry }, machine);
    const division = wanted.link === null ? shared : { ...shared, ...wholeMachine(options, machine) };
    const neighbours = wanted.link === null ? division.workers : 1;
    const memory = division.memory ?? deviceMemory(device) / neighbours;
    const { memoryFrom = `${Math.round(90 / neighbours)} % of what ${device} has free` } = division;
    const request = { options, model, machine, division, memory, memoryFrom, ...wanted };
    return await planMachine({ ...request, entry: CALIBRATION_ENTRY, signal, tasks });
  } finally {
    tasks.close();
    await model.close();
  }
}

/** The share of a worker that has a machine for itself. */
const wholeMachine = (options: ClusterOptions, machine: Machine): Pick<Division, "threads"> & MemoryOfWorkers => ({
  threads: threadsOf(options, machine, 1),
  ...memoryOf(options, machine, 1),
});

/** 90 % of the free bytes of a device that is there. */
function deviceMemory(name: string): number {
  const device = openEngine()
    .devices()
    .find((each) => each.name.toLowerCase() === name.toLowerCase());
  return 0.9 * (device?.memoryFree ?? 0);
}

/** Throws NO_PIPELINE while the cluster's coordinator does not say. */
async function statusOf(record: ClusterRecord, { dataDir, signal }: CommandContext): Promise<ClusterStatus> {
  const { operations } = record;
  if (operations === undefined) throw new RhoneError("NO_PIPELINE", "The cluster is still starting.");
  const status = await readStatus(operations, { security: securityOf(dataDir, record), signal });
  if (status === null) throw noPlan("the coordinator does not answer");
  return status;
}

/** Throws NO_PIPELINE while there is no plan or its workers have not been timed. */
function planRunning(status: ClusterStatus, wanted: PredictionRequest): PlanReport {
  const report = reportRunning(status, wanted);
  if (report === null) throw noPlan(status.reason ?? status.state);
  return report;
}

const noPlan = (why: string): RhoneError =>
  new RhoneError("NO_PIPELINE", `The cluster has no plan yet whose workers have been timed: ${why}.`);

/**
 * The running cluster's options, with those that are given on the command line instead. Workers that share this machine
 * have together the memory and the cores that the running ones have.
 */
function asRunning(
  status: ClusterStatus,
  asked: ClusterOptions,
  { given, link }: { readonly given: readonly Option[]; readonly link: number | null },
): ClusterOptions {
  const { model, kvType, activationType, sequences, workers } = status;
  const holders = workers.filter(({ layers }) => layers !== null);
  const [first] = holders;
  const flags = Object.fromEntries(
    given.map((option) => [option.attributeName(), asked[option.attributeName() as keyof ClusterOptions]]),
  ) as Partial<ClusterOptions>;
  const memory = holders.reduce((sum, { memoryTotal }) => sum + memoryTotal, 0);
  const isHere = first !== undefined && holders.every((holder) => holder.hostname === hostname());
  return {
    ...asked,
    ...{ model: model.path, kvType, activationType, maxSequences: sequences.limit },
    ...{ slidingWindow: model.slidingWindow ?? 0, context: model.contextLength },
    ...(isHere && { workers: holders.length, device: first.device === "CPU" ? undefined : first.device }),
    ...(isHere &&
      link === null && {
        threads: flags.workers === undefined ? first.threads : undefined,
        memory: flags.device === undefined ? Math.floor(memory / (flags.workers ?? holders.length)) : undefined,
        memoryFrom: flags.memory === undefined ? "what the running workers have" : undefined,
      }),
    ...flags,
  };
}
