import { PassThrough } from "node:stream";
import type { Logger } from "@rhone/common";
import { expect, test } from "vitest";
import { logServerLine, logServerOutput } from "./server-log.js";

/** A logger, and what it was given. */
function recorder() {
  const logged: unknown[] = [];
  const at = (level: string) => (fields: object, message: string) => logged.push({ level, ...fields, message });
  const logger = { debug: at("debug"), info: at("info"), warn: at("warn") } as unknown as Logger;
  return { logger, logged };
}

test.each([
  ["4711:M 26 Nov 2026 13:30:23.359 * Server initialized", "info", "Server initialized"],
  [
    "7:C 12 Feb 2026 22:20:08.371 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
    "info",
    "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
  ],
  ["7:C 12 Feb 2026 22:20:08.371 # Redis version=7.0.15, bits=64", "info", "Redis version=7.0.15, bits=64"],
  ["7:C 12 Feb 2026 22:20:08.371 # Configuration loaded", "info", "Configuration loaded"],
  ["7:M 12 Feb 2026 22:20:08.371 # Server initialized", "info", "Server initialized"],
  ["7:M 12 Feb 2026 22:20:08.371 # User requested shutdown...", "info", "User requested shutdown..."],
  ["42:M 12 Feb 2008 22:20:08.371 # Warning: 32 bit", "warn", "Warning: 32 bit"],
  ["42:M -1843 Jan 1970 -13:-40:-54.512 * Port 7 - or * more", "info", "Port 7 - or * more"],
  ["1:C 26 Nov 2026 13:30:23.359 - DB 0: 3 keys", "debug", "DB 0: 3 keys"],
  ["1:S 26 Nov 2026 13:30:23.359 . 0 clients", "debug", "0 clients"],
  ["*** FATAL CONFIG FILE ERROR ***", "info", "*** FATAL CONFIG FILE ERROR ***"],
])("%s is logged without its date, at its level", (line, level, text) => {
  const { logger, logged } = recorder();
  logServerLine(line, logger);
  expect(logged).toEqual([{ level, text, message: "redis server" }]);
});

test("output is logged line by line, without blank lines", async () => {
  const { logger, logged } = recorder();
  const output = new PassThrough();
  logServerOutput(output, logger);
  output.write("1:M 26 Nov 2026 13:30:23.359 * Rea");
  output.end("dy\n\nlast");
  await expect.poll(() => logged).toMatchObject([{ text: "Ready" }, { text: "last" }]);
});
