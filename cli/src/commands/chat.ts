import { createInterface } from "node:readline";
import { type Message, streamText } from "@rhone/client";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { formatError } from "../terminal/error-block.js";
import { addGenerationOptions, findTarget, type GenerationOptions, samplingOf } from "./generation-options.js";

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
