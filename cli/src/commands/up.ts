import { resolve } from "node:path";
import { RhoneError } from "@rhone/common";
import { type Command, Option } from "commander";
import { startDetached } from "../cluster/detach.js";
import { PhaseRenderer } from "../cluster/phase-renderer.js";
import { runCluster } from "../cluster/run-cluster.js";
import { stopCluster } from "../cluster/stop-cluster.js";
import { commandContext } from "../command-context.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import { port } from "../option-parsers.js";
import { ENTRY_POINTS } from "../processes/entry-points.js";
import { listenForStop } from "../processes/stop-signals.js";
import { addClusterFlags } from "./cluster-flags.js";

interface UpOptions extends Omit<ClusterOptions, "dataDir"> {
  readonly dataDir?: string;
  readonly detach?: boolean;
}

const EXAMPLES = `
Examples:
  rhone up                                         Breeze, the demonstration model, on two workers
  rhone up --detach --port 18080                   in the background; ends when it is ready
  rhone up --host 0.0.0.0                          for other machines; then: rhone keys create NAME
  rhone up --model mistral-7b-instruct-v0.3        after: rhone model pull mistral-7b-instruct-v0.3
  rhone up --storage s3://bucket/rhone             batches in a bucket; credentials as AWS's tools find them
  rhone up --model ./my.gguf --workers 4 --kv-type q8_0 --context 8192`;

export function addUpCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("up")
    .description("serve a model: start Redis, coordinator, workers and gateway on this machine");
  addClusterFlags(command)
    .option("-p, --port <port>", "HTTP port of the gateway; 0 = any", port, 8080)
    .option("--host <host>", "address of the gateway; 0.0.0.0 lets other machines in", "127.0.0.1")
    .addOption(
      new Option(
        "--auth <mode>",
        "ask for API keys: auto asks unless --host is this machine's own address (default: RHONE_AUTH or auto)",
      ).choices(["auto", "keys", "off"]),
    )
    .option(
      "--storage <place>",
      "files and batches: a folder or s3://bucket/prefix (default: in the data directory)",
      place,
    )
    .option("--s3-endpoint <url>", "an S3-compatible service (default: Amazon's)")
    .option("--s3-region <name>", "the bucket's region (default: AWS_REGION, or us-east-1 with --s3-endpoint)")
    .addOption(
      new Option("--s3-path-style <bool>", "bucket in the path (default: true with --s3-endpoint)").choices([
        "true",
        "false",
      ]),
    )
    .option("--data-dir <dir>", "models, logs and run state (default: RHONE_HOME or ~/.rhone)")
    .option("-d, --detach", "go on in the background once it is ready")
    .addHelpText("after", EXAMPLES)
    .action((options: UpOptions) => up(options, signal));
}

/** A service runs elsewhere: its folders are absolute. */
const place = (text: string): string => (text.includes("://") ? text : resolve(text));

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

export function addDownCommand(program: Command, signal: AbortSignal): void {
  program
    .command("down")
    .description("stop the cluster, in order")
    .option("--data-dir <dir>", "the data directory")
    .action(async (options: { dataDir?: string }) => {
      const { dataDir } = commandContext(options.dataDir, signal);
      const outcome = await stopCluster(dataDir);
      if (outcome === "not-running") throw new RhoneError("NOT_RUNNING", `No cluster runs in ${dataDir.root}.`);
      console.log(outcome === "stopped" ? "stopped" : "the cluster had crashed; what it left is cleared away");
    });
}
