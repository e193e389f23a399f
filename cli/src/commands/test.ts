import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";

const SCRIPT = fileURLToPath(new URL("../../../scripts/run-tests.mjs", import.meta.url));

/**
 * For `rhone --help`: the launcher runs the same script itself, without this command line being built. A package has no
 * tests, and no such command.
 */
export function addTestCommand(program: Command): void {
  if (!existsSync(SCRIPT)) return;
  program
    .command("test")
    .description("check the code and run every test; the last line counts them")
    .argument("[args...]", "arguments for vitest")
    .allowUnknownOption()
    .action(async (args: readonly string[]) => {
      const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: "inherit" });
      const [code] = await once(child, "exit");
      process.exitCode = code ?? 1;
    });
}
