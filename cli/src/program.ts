import { VERSION } from "@rhone/common";
import { Command } from "commander";
import { addBatchCommands } from "./commands/batch.js";
import { addBenchCommands } from "./commands/bench.js";
import { addCertificateCommand } from "./commands/certificate.js";
import { addDeviceCommands } from "./commands/device.js";
import { addDrainCommand } from "./commands/drain.js";
import { addFilesCommands } from "./commands/files.js";
import { addChatCommand, addGenerateCommand } from "./commands/generation.js";
import { addJoinCommand, addLeaveCommand } from "./commands/join.js";
import { addKeysCommands } from "./commands/keys.js";
import { addLogsCommand } from "./commands/logs.js";
import { addMembersCommands } from "./commands/members.js";
import { addModelCommands } from "./commands/model.js";
import { addPlanCommand } from "./commands/plan.js";
import { addRestartCommand } from "./commands/restart.js";
import { addStatusCommand } from "./commands/status.js";
import { addTestCommand } from "./commands/test.js";
import { addTokenCommands } from "./commands/token.js";
import { addDownCommand, addUpCommand } from "./commands/up.js";

const ABOUT = "Serves Mistral 7B and its Llama-architecture siblings from many small machines.";

const EPILOGUE = `
Exit codes:   0 success, 1 failure, 2 wrong usage or settings, 3 no cluster is running
              or its gateway does not answer, 4 some lines of a batch failed, 130 interrupted
Environment:  RHONE_HOME (data directory), RHONE_API_KEY, REDIS_URL, HF_ENDPOINT, HF_TOKEN, NO_COLOR`;

/** The whole command line. `signal` ends a running command; wrong usage throws CommanderError. */
export function createProgram(signal: AbortSignal): Command {
  const program = new Command("rhone").description(ABOUT).version(VERSION, "-V, --version", "print the version");
  program.helpOption("-h, --help", "print this help").helpCommand("help [command]", "print the help of a command");
  program.exitOverride().showHelpAfterError("Add --help for usage.");
  program.configureOutput({ outputError: (text, write) => write(text + modelHint(text)) });
  addUpCommand(program, signal);
  addDownCommand(program, signal);
  addRestartCommand(program, signal);
  addStatusCommand(program, signal);
  addPlanCommand(program, signal);
  addLogsCommand(program, signal);
  addChatCommand(program, signal);
  addGenerateCommand(program, signal);
  addBatchCommands(program, signal);
  addFilesCommands(program, signal);
  addKeysCommands(program, signal);
  addTokenCommands(program, signal);
  addMembersCommands(program, signal);
  addCertificateCommand(program, signal);
  addDrainCommand(program, signal);
  addJoinCommand(program, signal);
  addLeaveCommand(program, signal);
  addModelCommands(program, signal);
  addDeviceCommands(program);
  addBenchCommands(program, signal);
  addTestCommand(program);
  return program.addHelpText("after", EPILOGUE).addHelpText("beforeAll", ({ command }) => {
    const asked = askedCommand(program);
    if (asked !== command) asked.help();
    return "";
  });
}

/** `rhone plan NAME` is an easy guess, as `rhone model pull NAME` is right. */
const modelHint = (error: string): string =>
  /^error: too many arguments for '(up|plan)'/.test(error) ? "(Name a model with --model.)\n" : "";

/**
 * The command whose help is asked for, as in `help bench sweep`, of which commander reads one word. Throws
 * CommanderError, with the nearest command, for a word that is none.
 */
function askedCommand(program: Command): Command {
  const end = program.args.findIndex((word) => word.startsWith("-"));
  const words = end < 0 ? program.args : program.args.slice(0, end);
  let command = program;
  for (const word of words.filter((each) => each !== "help")) {
    if (command.commands.length === 0) break;
    const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (next === undefined) command.parse([word], { from: "user" });
    else command = next;
  }
  return command;
}
