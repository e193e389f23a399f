import type { Command } from "commander";
import { Option } from "commander";
import type { ClusterOptions } from "../cluster/cluster-options.js";
import { startDetached } from "../cluster/detach.js";
import { ENTRY_POINTS } from "../cluster/entry-points.js";
import { runCluster } from "../cluster/run-cluster.js";
import { listenForStop } from "../cluster/stop-signals.js";
import { commandContext } from "../command-context.js";
import { byteCount, port, positive, simulation, wholeNumber } from "../option-parsers.js";
import { PhaseRenderer } from "../terminal/phase-renderer.js";

interface UpOptions extends Omit<ClusterOptions, "dataDir"> {
  readonly dataDir?: string;
  readonly detach?: boolean;
}

const EXAMPLES = `
Examples:
  rhone up                                         Breeze, the demonstration model, on two workers
  rhone up --detach --port 18080                   in the background; ends when it is ready
  rhone up --model mistral-7b-instruct-v0.3        after: rhone model pull mistral-7b-instruct-v0.3
  rhone up --model ./my.gguf --workers 4 --kv-type q8_0 --context 8192`;

export function addUpCommand(program: Command, signal: AbortSignal): void {
  program
    .command("up")
    .description("serve a model: start Redis, coordinator, workers and gateway on this machine")
    .option("-m, --model <name|path>", "a name of `rhone model ls`, or a GGUF file", "breeze")
    .option("-w, --workers <n>", "processes that share the layers (default: 2)", positive)
    .option("-t, --threads <n>", "threads per worker (default: the cores, divided among the workers)", positive)
    .option(
      "--memory <bytes>",
      "what each worker may use, such as 6G (default: the free memory, divided among the workers)",
      byteCount,
    )
    .option("-p, --port <port>", "HTTP port of the gateway; 0 = any", port, 8080)
    .option("--host <host>", "address of the gateway; 0.0.0.0 lets other machines in", "127.0.0.1")
    .addOption(new Option("--kv-type <type>", "type of the K/V pages").choices(["f16", "f32", "q8_0"]).default("f16"))
    .option("--sliding-window <w>", "positions a token sees, 0 = all (default: the model's)", wholeNumber({ least: 0 }))
    .option(
      "--context <n>",
      "most positions per sequence (default: the model's, at most 32768)",
      wholeNumber({ least: 2 }),
    )
    .addOption(new Option("--activation-type <type>", "type of what flows between workers").choices(["f16", "f32"]))
    .option("--max-sequences <n>", "most sequences that run at a time (default: 64)", positive)
    .option("--max-rows <n>", "most tokens per step, prompts and answers together (default: 512)", positive)
    .option("--target-itl <ms>", "gap between a stream's tokens that prompts may cause: ms, auto or off", "auto")
    .option(
      "--speculate <n>",
      "guess up to n tokens ahead from a text's own repetitions; 0 = off",
      wholeNumber({ least: 0 }),
    )
    .option("--device <name>", "a device of `rhone device ls`")
    .option("--simulate <how>", "compute nothing, for measurements: null, or stage-ms=<n>,row-bytes=<n>", simulation)
    .option("--data-dir <dir>", "models, logs and run state (default: RHONE_HOME or ~/.rhone)")
    .option("-d, --detach", "go on in the background once it is ready")
    .addHelpText("after", EXAMPLES)
    .action((options: UpOptions) => up(options, signal));
}

async function up({ detach, ...asked }: UpOptions, signal: AbortSignal): Promise<void> {
  const { config, style } = commandContext(asked.dataDir, signal);
  const options: ClusterOptions = { ...asked, dataDir: config.home };
  const renderer = new PhaseRenderer(process.stdout, style);
  const report = renderer.show.bind(renderer);
  try {
    if (detach) return await startDetached(options, report, signal);
    const { stop, kill } = listenForStop(() => renderer.note("stopping; Ctrl-C once more kills"));
    await runCluster({ options, config, entryPoints: ENTRY_POINTS, report, stop, kill });
    renderer.note("stopped");
  } finally {
    renderer.close();
  }
}
