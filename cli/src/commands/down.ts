import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { stopCluster } from "../cluster/stop-cluster.js";
import { commandContext } from "../command-context.js";

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
