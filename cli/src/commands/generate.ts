import { text } from "node:stream/consumers";
import { streamText } from "@rhone/client";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { addGenerationOptions, findTarget, type GenerationOptions, samplingOf } from "./generation-options.js";

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
