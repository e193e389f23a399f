import { Command } from "commander";
import { addDeviceCommands } from "./commands/device.js";
import { addModelCommands } from "./commands/model.js";
import { addTestCommand } from "./commands/test.js";

const ABOUT = "Serves Mistral 7B and its Llama-architecture siblings from many small machines.";

const EPILOGUE = `
Exit codes: 0 done, 1 failed, 2 wrong use or settings, 3 no cluster runs, 130 interrupted.
Variables:  RHONE_HOME (data directory), REDIS_URL, HF_ENDPOINT, HF_TOKEN, NO_COLOR.`;

/** The whole command line. `signal` ends what a command does; wrong use throws CommanderError. */
export function createProgram(signal: AbortSignal): Command {
  const program = new Command("rhone").description(ABOUT).version("0.1.0").exitOverride().showHelpAfterError();
  addModelCommands(program, signal);
  addDeviceCommands(program);
  addTestCommand(program);
  return program.addHelpText("after", EPILOGUE);
}
