import { inspectModel, type ModelSummary, resolveModel } from "@rhone/model";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { formatBytes, formatCount, formatTable, plural } from "../terminal/format.js";
import { addDataDirFlag, MODEL_HELP } from "./flags.js";

export function addInspectCommand(model: Command, signal: AbortSignal): void {
  addDataDirFlag(model.command("inspect"))
    .description("show the shape, size and tensors of a GGUF file")
    .argument("<model>", MODEL_HELP)
    .option("--json", "print JSON")
    .action(async (nameOrPath: string, options: { json?: boolean; dataDir?: string }) => {
      const { dataDir, rhone } = commandContext(options.dataDir, signal);
      const { path } = await resolveModel(nameOrPath, { modelsDir: dataDir.models, rhone });
      const summary = await inspectModel(path);
      console.log(options.json ? JSON.stringify(summary, dropNoWindow, 2) : describeModel(summary));
    });
}

/** The printed JSON has no `slidingWindow` where attention sees every position. */
const dropNoWindow = (key: string, value: unknown) => (key === "slidingWindow" && value === 0 ? undefined : value);

/** Two columns: property and value. */
export function describeModel(summary: ModelSummary): string {
  const { config, weightBytes } = summary;
  const largestLayer = Math.max(...weightBytes.layers);
  const parts = summary.parts === 1 ? "" : `, ${summary.parts} parts`;
  return formatTable([
    ["file", `${summary.path} (${formatBytes(summary.fileBytes)}, GGUF v${summary.ggufVersion}${parts})`],
    ["name", summary.catalogueName ?? config.name ?? "-"],
    ["license", summary.license ?? "-"],
    ["parameters", formatCount(summary.nParameters)],
    ["layers", `${config.nLayers}, ${formatBytes(largestLayer)} each at most`],
    ["dimensions", `${config.dim}, feed-forward ${config.hiddenDim}`],
    ["heads", `${config.nHeads} of ${config.headDim} dimensions, ${config.nKvHeads} for K/V`],
    ["vocabulary", String(config.vocabSize)],
    ["context", String(config.contextLength)],
    ["sliding window", config.slidingWindow === 0 ? "none" : String(config.slidingWindow)],
    ["chat template", summary.chatTemplate],
    ["K/V per position", `${formatBytes(summary.kvBytesPerPosition)} (f16)`],
    ["embedding, head", `${formatBytes(weightBytes.embedding)}, ${formatBytes(weightBytes.head)}`],
    ...summary.tensorTypes.map(({ type, tensors, bytes }) => [
      type,
      `${plural(tensors, "tensor")}, ${formatBytes(bytes)}`,
    ]),
  ]);
}
