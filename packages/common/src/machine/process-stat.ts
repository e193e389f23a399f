import { readFileSync } from "node:fs";

/** Of a process, as Linux has it in /proc/PID/stat. */
export interface ProcessStat {
  /** "T": stopped. */
  readonly state: string;
  /** Who started it, or who has taken it over. */
  readonly parent: number;
  /** It belongs to a terminal, whose Ctrl-Z stops it. */
  readonly hasTerminal: boolean;
  /** In ticks since the machine started. */
  readonly startedAt: string;
}

/** Null: there is no such process, or this is no Linux. */
export function processStat(pid: number): ProcessStat | null {
  try {
    // From the 3rd field on; the 2nd, its name, may hold blanks and brackets.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, "").trim().split(" ");
    const [state = "", parent, , , terminal] = fields;
    const startedAt = fields[19];
    if (startedAt === undefined) return null;
    return { state, parent: Number(parent), hasTerminal: terminal !== "0", startedAt };
  } catch {
    return null;
  }
}
