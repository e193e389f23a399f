import { type KernelChoice, type KvTypeName, RhoneError } from "@rhone/common";
import { openEngine } from "@rhone/ggml";
import { Command, InvalidArgumentError, Option } from "commander";
import { runningCluster } from "../cluster/find-cluster.js";
import { readStatus } from "../cluster/watch-pipeline.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { checkHardware } from "../launch/check-hardware.js";
import { planLaunch, thisMachine } from "../launch/launch-plan.js";
import { positiveList } from "../option-parsers.js";
import { formatPlan } from "../planning/format-plan.js";
import { planMachine } from "../planning/plan-machine.js";
import { type PlanReport, reportRunning } from "../planning/plan-report.js";
import { CALIBRATION_ENTRY } from "../processes/entry-points.js";
import { addDataDirFlag, addMachineFlags, MODEL_HELP } from "./flags.js";

interface PlanOptions {
  readonly model?: string;
  readonly running?: boolean;
  readonly workers?: number;
  readonly threads?: number;
  readonly memory?: number;
  readonly kvType: KvTypeName;
  readonly slidingWindow?: number;
  readonly context?: number;
  readonly device?: string;
  readonly kernels?: KernelChoice;
  readonly concurrency: readonly number[];
  readonly json?: boolean;
  readonly dataDir?: string;
}

const EXAMPLES = `
Examples:
  rhone plan --model mistral-7b-instruct-v0.3 --workers 4    times some layers, then plans; starts no cluster
  rhone plan                                                 the running cluster's plan, and its predicted speed`;

export function addPlanCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("plan")
    .description("predict layers per worker, memory and speed of a model on this machine")
    .option("-m, --model <name|path>", `${MODEL_HELP} (default: the running cluster's plan)`)
    .option("--running", "the running cluster's plan");
  addDataDirFlag(addMachineFlags(command))
    .addOption(
      new Option("--concurrency <list>", "numbers of streams to predict for, besides one; three at most")
        .argParser(streamCounts)
        .default([8, 32], "8,32"),
    )
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: PlanOptions) => {
      const context = commandContext(options.dataDir, signal);
      const streams = [1, ...options.concurrency];
      const model = modelOf(options, command);
      const report =
        model === undefined
          ? await planRunning(context, streams)
          : await planHere({ ...options, model }, context, streams);
      console.log(options.json === true ? JSON.stringify(report, null, 2) : formatPlan(report, context.style));
    });
}

/** The model to plan; undefined for the running cluster, whose settings no flag can change. Throws INVALID_CONFIG. */
function modelOf({ model, running }: PlanOptions, command: Command): string | undefined {
  if (model !== undefined && running === true) {
    throw new RhoneError("INVALID_CONFIG", "Give --model or --running, not both.");
  }
  if (model !== undefined) return model;
  const machine = addMachineFlags(new Command()).options;
  const given = machine.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
  if (given.length === 0) return undefined;
  const flags = given.map(({ long }) => long).join(", ");
  throw new RhoneError(
    "INVALID_CONFIG",
    `${flags} can't change the running cluster's plan. Add --model to plan another.`,
  );
}

/** "8,32" -> [8, 32] */
function streamCounts(text: string): readonly number[] {
  const counts = positiveList(text);
  if (counts.length > 3) throw new InvalidArgumentError("Give at most three numbers.");
  return counts;
}

async function planHere(
  options: PlanOptions & { readonly model: string },
  { config, dataDir, signal }: CommandContext,
  streams: readonly number[],
): Promise<PlanReport> {
  const { device = "CPU", kernels = config.kernels } = options;
  checkHardware({ device, kernels, ggmlDir: config.ggmlDir });
  const asked = { ...options, dataDir: config.home, host: "", port: 0 };
  const plan = await planLaunch(asked, dataDir, thisMachine());
  return planMachine({
    options,
    plan,
    memory: plan.memory ?? deviceMemory(device) / plan.workers,
    streams,
    entry: CALIBRATION_ENTRY,
    signal,
    onPhase: (text) => process.stderr.write(`${text}\n`),
  });
}

/** 90 % of the free bytes of a device that is there. */
function deviceMemory(name: string): number {
  const device = openEngine()
    .devices()
    .find((each) => each.name.toLowerCase() === name.toLowerCase());
  return 0.9 * (device?.memoryFree ?? 0);
}

/** Throws NOT_RUNNING, or NO_PIPELINE while there is no plan or its workers have not been timed. */
async function planRunning({ dataDir, signal }: CommandContext, streams: readonly number[]): Promise<PlanReport> {
  const { operations } = await runningCluster(dataDir);
  if (operations === undefined) throw new RhoneError("NO_PIPELINE", "The cluster is still starting.");
  const status = await readStatus(operations, signal);
  const report = status === null ? null : reportRunning(status, streams);
  if (report !== null) return report;
  const why = status?.reason ?? status?.state ?? "the coordinator does not answer";
  throw new RhoneError("NO_PIPELINE", `The cluster has no plan yet whose workers have been timed: ${why}.`);
}
