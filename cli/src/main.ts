import { RhoneError } from "@rhone/common";
import { CommanderError } from "commander";
import { commandWriter, noColorSetting } from "./config.js";
import { createProgram } from "./program.js";
import { EXIT, exitCodeOf, formatError } from "./terminal/failure.js";
import { styleFor } from "./terminal/style.js";

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => interrupt.abort(new RhoneError("CANCELLED", "Interrupted.")));
}

// `rhone logs | head`: when the reader of the output leaves, a running command is interrupted, without a stack trace.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  interrupt.abort(new RhoneError("CANCELLED", "The reader of the output closed it."));
});

let target: { readonly dataDir?: string; readonly url?: string } = {};
let name: string | undefined;

function exitCodeFor(error: unknown): number {
  // Commander has printed its message; help and version "fail" with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (interrupt.signal.aborted) return EXIT.interrupted;
  const style = styleFor(process.stderr, noColorSetting());
  const failed = { rhone: commandWriter(target.dataDir), name, url: target.url };
  process.stderr.write(`${formatError(error, style, failed)}\n`);
  return error instanceof RhoneError ? exitCodeOf(error.code) : EXIT.failed;
}

try {
  const program = createProgram(interrupt.signal);
  program.hook("preAction", (_, command) => {
    target = command.opts();
    name = command.name();
  });
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeFor(error);
}
