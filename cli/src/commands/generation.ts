import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fetchStatus, type GenerationRequest, type Message, type Sampling, streamText } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { runningCluster } from "../cluster/find-cluster.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { decimalNumber, positive, wholeNumber } from "../option-parsers.js";
import { formatError } from "../terminal/failure.js";
import { addGatewayFlags } from "./flags.js";

interface GenerationOptions {
  readonly url?: string;
  readonly model?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly dataDir?: string;
}

interface ChatOptions extends GenerationOptions {
  readonly system?: string;
}

export function addGenerateCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("generate")
    .description("let the model continue a text")
    .argument("[prompt...]", "the text (default: standard input)");
  addGenerationFlags(command).action(async (words: readonly string[], options: GenerationOptions) => {
    const target = await findTarget(options, commandContext(options.dataDir, signal));
    const prompt = words.length > 0 ? words.join(" ") : await text(process.stdin);
    await printAnswer(streamText({ ...target, input: { prompt }, sampling: samplingOf(options), signal }));
  });
}

export function addChatCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("chat")
    .description("talk with the model; /reset starts over, /exit or Ctrl-D leaves")
    .option("-s, --system <text>", "instructions for the model");
  addGenerationFlags(command).action(async (options: ChatOptions) => {
    const context = commandContext(options.dataDir, signal);
    await chat(options, { ...(await findTarget(options, context)), sampling: samplingOf(options) }, context);
  });
}

async function chat(
  { system }: ChatOptions,
  target: Omit<GenerationRequest, "input" | "signal">,
  { signal, style }: CommandContext,
): Promise<void> {
  const start: readonly Message[] = system === undefined ? [] : [{ role: "system", content: system }];
  let messages = start;
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: style.bold("> ") });
  lines.on("SIGINT", () => lines.close());
  signal.addEventListener("abort", () => lines.close(), { once: true });
  lines.prompt();
  for await (const line of lines) {
    const content = line.trim();
    if (content === "/exit") break;
    if (content === "/reset") messages = start;
    else if (content !== "") {
      const asked: readonly Message[] = [...messages, { role: "user", content }];
      try {
        const answer = await printAnswer(streamText({ ...target, input: { messages: asked }, signal }));
        messages = [...asked, { role: "assistant", content: answer }];
      } catch (error) {
        process.stderr.write(`${formatError(error, style)}\n`); // and the conversation continues without this question
      }
    }
    lines.prompt();
  }
  lines.close();
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

function addGenerationFlags(command: Command): Command {
  return addGatewayFlags(command)
    .option("-m, --model <name>", "model to ask (default: the one that is served)")
    .option("-n, --max-tokens <n>", "tokens to generate, at most", positive)
    .option("-t, --temperature <t>", "0 = always the most likely token", decimalNumber({ least: 0, most: 2 }))
    .option("--top-p <p>", "nucleus sampling", decimalNumber({ least: 0, most: 1 }))
    .option("--seed <n>", "the same seed draws the same tokens", wholeNumber({ least: 0 }))
    .option("--stop <text...>", "strings that end the answer");
}

function samplingOf({ maxTokens, temperature, topP, seed, stop }: GenerationOptions): Sampling {
  return { maxTokens, temperature, topP, seed, stop };
}

type Target = Pick<GenerationRequest, "url" | "model" | "apiKey">;

/** The gateway and the model to ask: by flags, else the data directory's cluster. Throws NOT_RUNNING. */
export async function findTarget(
  { url, model }: Pick<GenerationOptions, "url" | "model">,
  { dataDir, signal, config: { apiKey } }: Pick<CommandContext, "dataDir" | "config" | "signal">,
): Promise<Target> {
  if (url === undefined) {
    const cluster = await runningCluster(dataDir);
    return { url: cluster.url, model: model ?? cluster.model, apiKey };
  }
  const gateway = url.replace(/\/+$/, "");
  return { url: gateway, model: model ?? (await servedModel(gateway, signal)), apiKey };
}

async function servedModel(gateway: string, signal: AbortSignal): Promise<string> {
  const [coordinator] = (await fetchStatus(gateway, signal)).coordinators;
  if (coordinator !== undefined) return coordinator.model.name;
  throw new RhoneError("NOT_RUNNING", `The gateway at ${gateway} sees no coordinator; name the model with --model.`);
}
