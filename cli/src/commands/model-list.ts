import { stat } from "node:fs/promises";
import { CATALOGUE, type CatalogueEntry, modelPath } from "@rhone/model";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { formatBytes } from "../terminal/format.js";
import { formatTable } from "../terminal/table.js";

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

export function addListCommand(model: Command, signal: AbortSignal): void {
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
