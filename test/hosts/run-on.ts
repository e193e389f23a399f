import type { Host } from "@rhone/bench";
import { type CommandResult, collect } from "../cluster/machine.js";

const DEADLINE_MS = 30_000;

/** Runs a command of a host to its end. */
export const runOn = (host: Host, command: string, args: readonly string[]): Promise<CommandResult> =>
  collect(host.spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] }), DEADLINE_MS);
