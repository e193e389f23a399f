import type { GenerationRequest, Sampling } from "@rhone/client";
import type { Command } from "commander";
import { readClusterRecord } from "../cluster/cluster-record.js";
import { runningCluster } from "../cluster/running-cluster.js";
import type { CommandContext } from "../command-context.js";
import { decimalNumber, positive, wholeNumber } from "../option-parsers.js";

export interface GenerationOptions {
  readonly url?: string;
  readonly model?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly dataDir?: string;
}

/** The flags that `generate` and `chat` share. */
export function addGenerationOptions(command: Command): Command {
  return command
    .option("--url <url>", "a gateway; default: the cluster of the data directory")
    .option("-m, --model <name>", "default: the one that is served")
    .option("-n, --max-tokens <n>", "most tokens to generate", positive)
    .option("-t, --temperature <t>", "0 = always the likeliest token", decimalNumber({ least: 0, most: 2 }))
    .option("--top-p <p>", "nucleus sampling", decimalNumber({ least: 0, most: 1 }))
    .option("--seed <n>", "equal seeds draw equal tokens", wholeNumber({ least: 0 }))
    .option("--stop <text...>", "strings that end the answer")
    .option("--data-dir <dir>", "the data directory");
}

export function samplingOf({ maxTokens, temperature, topP, seed, stop }: GenerationOptions): Sampling {
  return { maxTokens, temperature, topP, seed, stop };
}

/** The gateway and the model to ask. Throws NOT_RUNNING. */
export async function findTarget(
  { url, model }: GenerationOptions,
  { dataDir, config: { apiKey } }: Pick<CommandContext, "dataDir" | "config">,
): Promise<Pick<GenerationRequest, "url" | "model" | "apiKey">> {
  if (url !== undefined)
    return { url: url.replace(/\/+$/, ""), model: model ?? (await readClusterRecord(dataDir))?.model ?? "", apiKey };
  const cluster = await runningCluster(dataDir);
  return { url: cluster.url, model: model ?? cluster.model, apiKey };
}
