import type { Logger } from "@rhone/common";
import { expect, test } from "vitest";
import { logProgress } from "./log-progress.js";
import type { ProgressEvent } from "./progress.js";

/** The lines that these events become: level, fields, message. */
function linesOf(events: readonly ProgressEvent[]): readonly unknown[] {
  const lines: unknown[] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push([level, fields, message]);
  for (const event of events) logProgress(event, { info: at("info"), warn: at("warn") } as unknown as Logger);
  return lines;
}

test("messages are constants and what varies is in fields; a phase is logged when it is done", () => {
  const phase = { kind: "phase", phase: "workers" } as const;
  const lines = linesOf([
    { ...phase, text: "1 of 2 joined", done: false },
    { ...phase, text: "2 of 2 joined", done: true },
    { kind: "note", text: "Requests need an API key." },
    { kind: "warning", text: "Worker 1 ended unexpectedly. Restarting it." },
    { kind: "ready", url: "http://127.0.0.1:8080" },
    { kind: "failed", code: "PORT_IN_USE", message: "8080 is in use." },
  ]);
  expect(lines).toEqual([
    ["info", { phase: "workers", text: "2 of 2 joined" }, "phase done"],
    ["info", { text: "Requests need an API key." }, "note"],
    ["warn", { text: "Worker 1 ended unexpectedly. Restarting it." }, "warning"],
    ["info", { url: "http://127.0.0.1:8080" }, "cluster ready"],
  ]);
});
