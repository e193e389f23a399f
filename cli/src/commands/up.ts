import { RhoneError } from "@rhone/common";
import { type Command, Option } from "commander";
import { startDetached } from "../cluster/detach.js";
import { PhaseRenderer } from "../cluster/phase-renderer.js";
import { runCluster } from "../cluster/run-cluster.js";
import { stopCluster } from "../cluster/stop-cluster.js";
import { commandContext } from "../command-context.js";
import { DOOR_PORT } from "../enrollment/join-command.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import { host, port } from "../option-parsers.js";
import { ENTRY_POINTS, SUPERVISOR_ENTRY } from "../processes/entry-points.js";
import { listenForStop } from "../processes/stop-signals.js";
import { addAuthFlag, addClusterSettings, addDataDirFlag, addStorageFlags, MODEL_HELP } from "./flags.js";

interface UpOptions extends Omit<ClusterOptions, "dataDir" | "model" | "moreModels"> {
  readonly model: readonly string[];
  readonly dataDir?: string;
  readonly detach?: boolean;
}

const EXAMPLES = `
Examples:
  rhone up                                   Breeze, the demonstration model, on two workers
  rhone up --detach --port 18080             in the background; returns when the cluster is ready
  rhone up --host 0.0.0.0                    clients elsewhere; then: rhone keys create NAME
  rhone up --listen --model NAME             workers elsewhere: prints the command that joins
  rhone up --model mistral-7b-instruct-v0.3  on all cores; before: rhone model pull NAME
  rhone up --model A --model B               two models; requests name theirs, or get the first
  rhone up --replicas 2                      two pipelines of the model, which share its requests
  rhone up --storage s3://bucket/rhone       files and batches in a bucket, with AWS credentials
  rhone up --model ./my.gguf --workers 4 --kv-type q8_0 --context 8192`;

export function addUpCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("up")
    .description("serve models: start Redis, coordinators, workers and the gateway on this machine")
    .addOption(modelsOption());
  addDataDirFlag(addGatewaySettings(addClusterSettings(command)))
    .option("-d, --detach", "return once the cluster is ready, and leave it running in the background")
    .addHelpText("after", EXAMPLES)
    .action((options: UpOptions) => up(options, signal));
}

function addGatewaySettings(command: Command): Command {
  return addStorageFlags(addAuthFlag(command))
    .option("-p, --port <port>", "HTTP port of the gateway; 0 = any free one", port, 8080)
    .option(
      "--host <host>",
      "address that the gateway listens on; 0.0.0.0 or :: lets clients of other machines in",
      host,
      "127.0.0.1",
    )
    .option(
      "--listen [host]",
      "let other machines join: the address of this one for them, 0.0.0.0 for all (default: it is found)",
      host,
    )
    .option("--listen-port <port>", `TCP port where they join (default: ${DOOR_PORT})`, port);
}

const DEFAULT_MODELS: readonly string[] = ["breeze"];

/** May be given several times. */
const modelsOption = (): Option =>
  new Option("-m, --model <name|path>", `${MODEL_HELP}; several: give it again`)
    .argParser((text: string, before: readonly string[]) => (before === DEFAULT_MODELS ? [text] : [...before, text]))
    .default(DEFAULT_MODELS, "breeze");

async function up({ detach, model: [model = "", ...moreModels], ...asked }: UpOptions, signal: AbortSignal) {
  const { config, style } = commandContext(asked.dataDir, signal);
  const options: ClusterOptions = { ...asked, model, moreModels, dataDir: config.home };
  const renderer = new PhaseRenderer(process.stdout, style);
  const report = renderer.show.bind(renderer);
  const signals = listenForStop(() => renderer.note("Stopping. Press Ctrl-C again to kill all processes."));
  try {
    if (detach) await startDetached({ options, report, ...signals, supervisor: SUPERVISOR_ENTRY });
    else await runCluster({ options, config, entryPoints: ENTRY_POINTS, report, ...signals });
  } finally {
    if (signals.stop.aborted) renderer.note("Stopped. None of its processes is left.");
    renderer.close();
  }
}

export function addDownCommand(program: Command, signal: AbortSignal): void {
  addDataDirFlag(program.command("down").description("stop the running cluster"))
    .option("--json", "print JSON")
    .action(async ({ dataDir: home, json }: { readonly dataDir?: string; readonly json?: boolean }) => {
      const { dataDir } = commandContext(home, signal);
      const outcome = await stopCluster(dataDir);
      if (outcome === "not-running") throw new RhoneError("NOT_RUNNING", `No cluster is running in ${dataDir.root}.`);
      if (json === true) console.log(JSON.stringify({ dataDir: dataDir.root, outcome }));
      else
        console.log(outcome === "stopped" ? outcome : "The cluster had crashed; its remaining processes were ended.");
    });
}
