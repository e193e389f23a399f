import { inspectModel, type ModelSummary, resolveModel } from "@rhone/model";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { formatBytes, formatCount, formatTable } from "../terminal/format.js";

export function addInspectCommand(model: Command, signal: AbortSignal): void {
  model
    .command("inspect")
    .description("show what a GGUF file holds")
    .argument("<model>", "a name of `rhone model ls`, or a path")
    .option("--json", "print JSON")
    .option("--data-dir <dir>", "the data directory")
    .action(async (nameOrPath: string, options: { json?: boolean; dataDir?: string }) => {
      const { dataDir } = commandContext(options.dataDir, signal);
      const { path } = await resolveModel(nameOrPath, { modelsDir: dataDir.models });
      const summary = await inspectModel(path);
      console.log(options.json ? JSON.stringify(summary, null, 2) : describeModel(summary));
    });
}

/** A summary as a table of two columns. */
export function describeModel(summary: ModelSummary): string {
  const { config, weightBytes } = summary;
  const largestLayer = Math.max(...weightBytes.layers);
  return formatTable([
    ["file", `${summary.path} (${formatBytes(summary.fileBytes)}, GGUF v${summary.ggufVersion})`],
    ["name", summary.catalogueName ?? config.name ?? "-"],
    ["license", summary.license ?? "-"],
    ["parameters", formatCount(summary.nParameters)],
    ["layers", `${config.nLayers}, at most ${formatBytes(largestLayer)} each`],
    ["dimensions", `${config.dim}, feed-forward ${config.hiddenDim}`],
    ["heads", `${config.nHeads}, K/V ${config.nKvHeads}, ${config.headDim} wide`],
    ["vocabulary", String(config.vocabSize)],
    ["context", String(config.contextLength)],
    ["sliding window", config.slidingWindow === undefined ? "none" : String(config.slidingWindow)],
    ["chat template", summary.chatTemplate],
    ["K/V per position", `${formatBytes(summary.kvBytesPerPosition)} (f16)`],
    ["embedding, head", `${formatBytes(weightBytes.embedding)}, ${formatBytes(weightBytes.head)}`],
    ...summary.tensorTypes.map(({ type, tensors, bytes }) => [type, `${tensors} tensors, ${formatBytes(bytes)}`]),
  ]);
}
