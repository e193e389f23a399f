import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where Linux says how long each thread of this process has run, and waited for a core. */
const TASKS = "/proc/self/task";

/** Nanoseconds since a thread began. */
interface ThreadTimes {
  readonly ran: number;
  readonly waited: number;
}

/** How long the threads of this process have waited for a core since this was made. */
export class CoreWait {
  readonly #tasks: string;
  readonly #before: ReadonlyMap<string, ThreadTimes>;

  constructor(tasks = TASKS) {
    this.#tasks = tasks;
    this.#before = threadTimes(tasks);
  }

  /**
   * Share of the time in which threads were ready to run but had no core, 0 to 1: half when another process takes every
   * second slice. Null where the system does not say.
   */
  share(): number | null {
    let [ran, waited] = [0, 0];
    for (const [thread, now] of threadTimes(this.#tasks)) {
      const before = this.#before.get(thread);
      ran += now.ran - (before?.ran ?? 0);
      waited += now.waited - (before?.waited ?? 0);
    }
    return ran > 0 ? waited / (ran + waited) : null;
  }
}

/** Empty where the system does not say. */
function threadTimes(tasks: string): ReadonlyMap<string, ThreadTimes> {
  const times = new Map<string, ThreadTimes>();
  try {
    for (const thread of readdirSync(tasks)) {
      const [ran = 0, waited = 0] = readFileSync(join(tasks, thread, "schedstat"), "utf8")
        .split(" ")
        .map(Number);
      times.set(thread, { ran, waited });
    }
  } catch {
    // Another system; or a thread that ended just now, whose time is missed.
  }
  return times;
}
