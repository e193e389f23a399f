import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { commandContext } from "../command-context.js";
import { positive } from "../option-parsers.js";
import { EXIT } from "../terminal/failure.js";
import { formatLogLine, inOrder, type LogLine } from "../terminal/log-line.js";
import { addDataDirFlag } from "./flags.js";

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines: number;
  readonly json?: boolean;
  readonly dataDir?: string;
}

export function addLogsCommand(program: Command, signal: AbortSignal): void {
  addDataDirFlag(program.command("logs"))
    .description("show the logs of the running cluster, or of the last one; times are UTC")
    .argument("[services...]", "redis, coordinator, worker-1, gateway … (default: all)")
    .option("-f, --follow", "keep printing new lines until Ctrl-C")
    .option("-n, --lines <n>", "lines per service", positive, 50)
    .option("--json", "print the lines as they are, one JSON object each (default where the output is no terminal)")
    .action(async (services: readonly string[], options: LogsOptions) => {
      const { dataDir, style } = commandContext(options.dataDir, signal);
      const files = await logFiles(dataDir.logs, services);
      const width = Math.max(...files.map((file) => logName(file).length));
      const isRaw = options.json === true || process.stdout.isTTY !== true;
      const show = (line: LogLine): void => {
        process.stdout.write(`${isRaw ? line.text : formatLogLine(line, { width, style })}\n`);
      };
      const last = { lines: options.lines, follow: options.follow === true, signal };
      if (last.follow) await Promise.all(files.map((file) => tail(file, last, show)));
      else for (const line of await lastLines(files, last)) show(line);
    });
}

interface LastLines {
  readonly lines: number;
  /** Then new ones, until `signal`. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** Of all logs, in the order of their times. */
async function lastLines(files: readonly string[], last: LastLines): Promise<readonly LogLine[]> {
  const logs = files.map((file) => ({ file, found: [] as LogLine[] }));
  await Promise.all(logs.map(({ file, found }) => tail(file, last, (line) => void found.push(line))));
  return inOrder(logs.map(({ found }) => found));
}

async function tail(
  file: string,
  { lines, follow, signal }: LastLines,
  onLine: (line: LogLine) => void,
): Promise<void> {
  const args = ["-n", String(lines), ...(follow ? ["-F"] : []), file];
  const child = spawn("tail", args, { stdio: ["ignore", "pipe", "inherit"] });
  const stop = (): void => void child.kill();
  signal.addEventListener("abort", stop, { once: true });
  const read = async (): Promise<void> => {
    for await (const text of createInterface({ input: child.stdout })) onLine({ name: logName(file), text });
  };
  const [[code]] = await Promise.all([once(child, "exit"), read()]);
  signal.removeEventListener("abort", stop);
  if (code !== 0 && !signal.aborted) process.exitCode = EXIT.failed; // tail has said why
}

const logName = (file: string): string => basename(file, ".log");

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
