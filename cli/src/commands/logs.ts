import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { positive } from "../option-parsers.js";
import { EXIT } from "../terminal/failure.js";
import { addDataDirFlag } from "./flags.js";

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines: number;
  readonly dataDir?: string;
}

export function addLogsCommand(program: Command, signal: AbortSignal): void {
  addDataDirFlag(program.command("logs"))
    .description("show the logs of the running cluster, or of the last one")
    .argument("[services...]", "redis, coordinator, worker-1, gateway … (default: all)")
    .option("-f, --follow", "keep printing new lines until Ctrl-C")
    .option("-n, --lines <n>", "lines per service", positive, 50)
    .action(async (services: readonly string[], { follow, lines, dataDir: home }: LogsOptions) => {
      const { dataDir } = commandContext(home, signal);
      const files = await logFiles(dataDir.logs, services);
      const child = spawn("tail", ["-n", String(lines), ...(follow ? ["-F"] : []), ...files], { stdio: "inherit" });
      signal.addEventListener("abort", () => child.kill(), { once: true });
      const [code] = await once(child, "exit");
      if (code !== 0 && !signal.aborted) process.exitCode = EXIT.failed; // tail has said why
    });
}

/** Throws INVALID_REQUEST with the names of the logs that exist. */
export async function logFiles(folder: string, services: readonly string[]): Promise<readonly string[]> {
  const files = await readdir(folder).catch(() => []);
  const names = files.filter((file) => file.endsWith(".log")).map((file) => file.slice(0, -".log".length));
  if (names.length === 0)
    throw new RhoneError("NOT_RUNNING", `There are no logs in ${folder}: no cluster has run yet.`);
  const missing = services.filter((service) => !names.includes(service));
  if (missing.length > 0) {
    throw new RhoneError(
      "INVALID_REQUEST",
      `There is no log of ${missing.join(", ")}. There are logs of ${names.join(", ")}.`,
    );
  }
  return (services.length > 0 ? services : names).map((name) => join(folder, `${name}.log`));
}
