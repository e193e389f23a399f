import { availableParallelism, freemem } from "node:os";
import { type KvTypeName, RhoneError } from "@rhone/common";
import { openEngine } from "@rhone/ggml";
import { type Command, InvalidArgumentError, Option } from "commander";
import { runningCluster } from "../cluster/find-cluster.js";
import { readStatus } from "../cluster/watch-pipeline.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { planLaunch } from "../launch/launch-plan.js";
import { byteCount, positive, wholeNumber } from "../option-parsers.js";
import { formatPlan } from "../planning/format-plan.js";
import { planMachine } from "../planning/plan-machine.js";
import { type PlanReport, reportRunning } from "../planning/plan-report.js";
import { CALIBRATION_ENTRY } from "../processes/entry-points.js";

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
  readonly concurrency: readonly number[];
  readonly json?: boolean;
  readonly dataDir?: string;
}

const EXAMPLES = `
Examples:
  rhone plan --model mistral-7b-instruct-v0.3 --workers 4    times some layers here, then plans; starts no cluster
  rhone plan                                                 the plan in force, and what it should give`;

export function addPlanCommand(program: Command, signal: AbortSignal): void {
  program
    .command("plan")
    .description("predict how a model's layers, memory and speed come out on this machine's workers")
    .option(
      "-m, --model <name|path>",
      "a name of `rhone model ls`, or a GGUF file (default: the running cluster's plan)",
    )
    .option("--running", "the running cluster's plan")
    .option("-w, --workers <n>", "processes that share the layers (default: 2)", positive)
    .option("-t, --threads <n>", "threads per worker (default: the cores, divided among the workers)", positive)
    .option("--memory <bytes>", "what each worker may use, such as 6G (default: as `rhone up`)", byteCount)
    .addOption(new Option("--kv-type <type>", "type of the K/V pages").choices(["f16", "f32", "q8_0"]).default("f16"))
    .option("--sliding-window <w>", "positions a token sees, 0 = all (default: the model's)", wholeNumber({ least: 0 }))
    .option("--context <n>", "most positions per sequence (default: as `rhone up`)", wholeNumber({ least: 2 }))
    .option("--device <name>", "a device of `rhone device ls`")
    .option("--concurrency <n,…>", "numbers of streams under load to predict for, besides one", streamCounts, [8, 32])
    .option("--json", "print JSON")
    .option("--data-dir <dir>", "models and run state (default: RHONE_HOME or ~/.rhone)")
    .addHelpText("after", EXAMPLES)
    .action(async (options: PlanOptions) => {
      const context = commandContext(options.dataDir, signal);
      const streams = [1, ...options.concurrency];
      const { model } = options;
      if (model !== undefined && options.running === true) {
        throw new RhoneError("INVALID_CONFIG", "Give --model or --running, not both.");
      }
      const report =
        model === undefined
          ? await planRunning(context, streams)
          : await planHere({ ...options, model }, context, streams);
      console.log(options.json === true ? JSON.stringify(report, null, 2) : formatPlan(report, context.style));
    });
}

/** "8,32" -> [8, 32] */
function streamCounts(text: string): readonly number[] {
  const counts = text.split(",").map((part) => positive(part.trim()));
  if (counts.length > 3) throw new InvalidArgumentError("Give at most three.");
  return counts;
}

async function planHere(
  options: PlanOptions & { readonly model: string },
  { config, dataDir, signal }: CommandContext,
  streams: readonly number[],
): Promise<PlanReport> {
  const machine = { cores: availableParallelism(), availableMemory: process.availableMemory?.() ?? freemem() };
  const asked = { ...options, dataDir: config.home, host: "", port: 0 };
  const plan = await planLaunch(asked, dataDir, machine);
  return planMachine({
    options,
    plan,
    memory: plan.memory ?? deviceMemory(options.device) / plan.workers,
    streams,
    entry: CALIBRATION_ENTRY,
    signal,
    onPhase: (text) => process.stderr.write(`${text}\n`),
  });
}

/** Bytes that programs may still take on the device. Throws DEVICE_NOT_FOUND. */
function deviceMemory(name: string | undefined): number {
  const devices = openEngine().devices();
  const device = devices.find((each) => each.name.toLowerCase() === name?.toLowerCase());
  if (device !== undefined) return 0.9 * device.memoryFree;
  throw new RhoneError(
    "DEVICE_NOT_FOUND",
    `No device ${name}; there are ${devices.map((each) => each.name).join(", ")}.`,
  );
}

/** Throws NOT_RUNNING; NO_PIPELINE while no plan is in force or its workers have not timed themselves. */
async function planRunning({ dataDir, signal }: CommandContext, streams: readonly number[]): Promise<PlanReport> {
  const { operations } = await runningCluster(dataDir);
  if (operations === undefined) throw new RhoneError("NO_PIPELINE", "The cluster is still starting.");
  const status = await readStatus(operations, signal);
  const report = status === null ? null : reportRunning(status, streams);
  if (report !== null) return report;
  const why = status?.reason ?? status?.state ?? "the coordinator does not answer";
  throw new RhoneError("NO_PIPELINE", `The cluster has no plan with measured workers: ${why}.`);
}
