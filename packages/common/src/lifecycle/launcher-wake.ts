import { readFileSync } from "node:fs";

/** Looks in a row that find it stopped before it is woken: whoever stops all processes one by one has time for it. */
const LOOKS = 2;

export interface LauncherWakeOptions {
  /** The process that started this one, at each look. */
  readonly launcher: () => number;
}

/**
 * Wakes the process that started this one when it was stopped (SIGSTOP): nothing that ends is started again meanwhile,
 * and connections to a gateway that is gone wait. One that has a terminal is left as it is, since Ctrl-Z stops it. Only
 * on Linux, which shows what another process does.
 */
export class LauncherWake {
  readonly #launcher: () => number;
  #stopped = 0;

  constructor({ launcher }: LauncherWakeOptions = { launcher: () => process.ppid }) {
    this.#launcher = launcher;
  }

  look(): void {
    const pid = this.#launcher();
    this.#stopped = isStopped(pid) ? this.#stopped + 1 : 0;
    if (this.#stopped < LOOKS) return;
    try {
      process.kill(pid, "SIGCONT");
    } catch {
      // it is gone, or somebody else's
    }
  }
}

/** The 3rd and the 7th field of /proc/PID/stat, its state and its terminal; the 2nd may hold blanks and brackets. */
function isStopped(pid: number): boolean {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, "").trim().split(" ");
    return fields[0] === "T" && fields[4] === "0";
  } catch {
    return false;
  }
}
