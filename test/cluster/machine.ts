import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

/** Where commands run: this machine, or a host of a test network. */
export interface Machine {
  spawn(command: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
}

export const thisMachine: Machine = { spawn: (command, args, options = {}) => spawn(command, args, options) };

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Collects what a child prints; kills it at the deadline. */
export function collect(child: ChildProcess, deadlineMs: number): Promise<CommandResult> {
  const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (part) => {
    stdout += part;
  });
  child.stderr?.on("data", (part) => {
    stderr += part;
  });
  return new Promise<CommandResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  }).finally(() => clearTimeout(timer));
}
