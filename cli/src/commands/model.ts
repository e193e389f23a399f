import type { Command } from "commander";
import { addConvertCommand } from "./model-convert.js";
import { addInspectCommand } from "./model-inspect.js";
import { addListCommand } from "./model-list.js";
import { addPullCommand } from "./model-pull.js";
import { addSynthesizeCommand } from "./model-synth.js";

export function addModelCommands(program: Command, signal: AbortSignal): void {
  const model = program.command("model").description("list, fetch, convert, make and inspect models");
  addListCommand(model, signal);
  addPullCommand(model, signal);
  addConvertCommand(model, signal);
  addSynthesizeCommand(model, signal);
  addInspectCommand(model, signal);
}
