import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { type GenerationRequest, type Message, type Sampling, streamText } from "@rhone/client";
import type { Command } from "commander";
import { readClusterRecord } from "../cluster/cluster-record.js";
import { runningCluster } from "../cluster/find-cluster.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { decimalNumber, positive, wholeNumber } from "../option-parsers.js";
import { formatError } from "../terminal/failure.js";

interface ChatOptions extends GenerationOptions {
  readonly system?: string;
}

export function addChatCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("chat")
    .description("talk with the model; /reset forgets, /exit or Ctrl-D ends")
    .option("-s, --system <text>", "instructions for the model");
  addGenerationOptions(command).action(async (options: ChatOptions) => {
    const context = commandContext(options.dataDir, signal);
    const { style } = context;
    const target = await findTarget(options, context);
    const start: readonly Message[] = options.system === undefined ? [] : [{ role: "system", content: options.system }];
    let messages = start;
    const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: style.bold("> ") });
    lines.on("SIGINT", () => lines.close());
    signal.addEventListener("abort", () => lines.close(), { once: true });
    lines.prompt();
    for await (const line of lines) {
      const said = line.trim();
      if (said === "/exit") break;
      if (said === "/reset") messages = start;
      else if (said !== "") {
        const asked: readonly Message[] = [...messages, { role: "user", content: said }];
        try {
          const request = { ...target, input: { messages: asked }, sampling: samplingOf(options), signal };
          messages = [...asked, { role: "assistant", content: await printAnswer(streamText(request)) }];
        } catch (error) {
          // The question is forgotten, the conversation goes on.
          process.stderr.write(`${formatError(error, style)}\n`);
        }
      }
      lines.prompt();
    }
    lines.close();
  });
}

async function printAnswer(pieces: AsyncIterable<string>): Promise<string> {
  let answer = "";
  for await (const piece of pieces) {
    process.stdout.write(piece);
    answer += piece;
  }
  process.stdout.write("\n");
  return answer;
}

export function addGenerateCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("generate")
    .description("let the model go on with a text")
    .argument("[prompt...]", "the text; without it, standard input is read");
  addGenerationOptions(command).action(async (words: readonly string[], options: GenerationOptions) => {
    const target = await findTarget(options, commandContext(options.dataDir, signal));
    const prompt = words.length > 0 ? words.join(" ") : await text(process.stdin);
    for await (const piece of streamText({ ...target, input: { prompt }, sampling: samplingOf(options), signal })) {
      process.stdout.write(piece);
    }
    process.stdout.write("\n");
  });
}

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
