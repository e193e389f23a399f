import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Logger } from "@rhone/common";

/** By the mark that Redis and Valkey put before a message: debug, verbose, notice, warning. */
const LEVELS = { ".": "debug", "-": "debug", "*": "info", "#": "warn" } as const;

/** What servers before version 7.2 say as a warning, though nothing is wrong. */
const NO_WARNING =
  /^(oO0OoO0OoO0Oo |(Redis|Valkey) version=|Configuration loaded|(Server|Redis) initialized|User requested shutdown|Received SIG|Removing the unix socket|(Redis|Valkey) is now ready to exit)/;

/** "42:M 26 Nov 2026 13:30:23.359 * Server initialized"; a clock that was never set may give "-18 Jan 1970 -13:-4". */
const LINE = /^\d+:[A-Z] .*? ([.*#-]) (.*)$/;

/**
 * Writes a line of a Redis server's log as one of `logger`, whose time is this process's: the clock of Valkey in
 * WebAssembly is never set.
 */
export function logServerLine(line: string, logger: Logger): void {
  if (line.trim() === "") return;
  const [, mark = "*", text = line] = LINE.exec(line) ?? [];
  const level = LEVELS[mark as keyof typeof LEVELS];
  logger[level === "warn" && NO_WARNING.test(text) ? "info" : level]({ text }, "redis server");
}

/** Writes what a server prints, line by line. */
export function logServerOutput(output: Readable, logger: Logger): void {
  createInterface({ input: output }).on("line", (line) => logServerLine(line, logger));
}
