import { processStat } from "../machine/process-stat.js";

/** Looks in a row that find it stopped before it is woken: who stops all processes one by one has time for that. */
const LOOKS = 2;

/**
 * Wakes the process that started this one when it was stopped (SIGSTOP): nothing that ends is started again meanwhile,
 * and connections to a gateway that is gone wait. One that has a terminal is left as it is, since Ctrl-Z stops it. Only
 * on Linux, which shows what another process does.
 */
export class LauncherWake {
  readonly #launcher: () => number;
  #stopped = 0;

  /** `launcher`: the process that started this one, at each look. */
  constructor(launcher: () => number = () => process.ppid) {
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

function isStopped(pid: number): boolean {
  const stat = processStat(pid);
  return stat?.state === "T" && !stat.hasTerminal;
}
