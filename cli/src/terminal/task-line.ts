import { formatProgress, type TerminalOutput } from "./progress-bar.js";

const REDRAW_MS = 200;
const CLEAR = "\r\x1b[2K";

/**
 * What a command is doing, one task after another: on a terminal a line that is redrawn, with the seconds that the task
 * has taken; elsewhere a line as each task begins. Close it.
 */
export class TaskLine {
  readonly #output: TerminalOutput;
  readonly #timer: NodeJS.Timeout | undefined;
  #task = "";
  #startedAt = 0;
  #bytes: readonly [done: number, total: number] | null = null;

  constructor(output: TerminalOutput) {
    this.#output = output;
    this.#timer = output.isTTY ? setInterval(() => this.#draw(), REDRAW_MS).unref() : undefined;
  }

  /** Begins a task. The same one again goes on. */
  begin(task: string): void {
    if (task === this.#task) return;
    this.#task = task;
    this.#startedAt = performance.now();
    this.#bytes = null;
    if (this.#output.isTTY) this.#draw();
    else this.#output.write(`${task}\n`);
  }

  /** How far it is, where that is known. */
  progress(bytes: number, totalBytes: number): void {
    this.#bytes = [bytes, totalBytes];
  }

  /** Removes the line, so that the command's result takes its place. */
  close(): void {
    clearInterval(this.#timer);
    if (this.#output.isTTY) this.#output.write(CLEAR);
  }

  #draw(): void {
    if (this.#task === "") return;
    const amount = this.#bytes === null ? [] : [formatProgress(...this.#bytes)];
    const seconds = Math.floor((performance.now() - this.#startedAt) / 1000);
    const line = [this.#task, ...amount, `${seconds} s`].join("  ");
    this.#output.write(`${CLEAR}${line.slice(0, (this.#output.columns ?? 80) - 1)}`);
  }
}
