import { formatBytes } from "./format.js";

/** The part of a stream that progress needs. */
export interface TerminalOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR_WIDTH = 24;
const REDRAW_MS = 100;
/** Between lines where nothing can be redrawn. */
const RELOG_MS = 10_000;

/**
 * The progress of a long task: one line that is redrawn on a terminal; elsewhere a line every 10 s, none for shorter
 * tasks.
 */
export class ProgressBar {
  readonly #output: TerminalOutput;
  readonly #label: string;
  readonly #startedAt = performance.now();
  readonly #pauseMs: number;
  #dueAt: number;
  #startBytes: number | undefined;

  constructor(output: TerminalOutput, label: string) {
    this.#output = output;
    this.#label = label;
    this.#pauseMs = output.isTTY ? REDRAW_MS : RELOG_MS;
    this.#dueAt = output.isTTY ? this.#startedAt : this.#startedAt + RELOG_MS;
  }

  /** `totalBytes`: undefined while unknown. `what` names the part of the task. */
  update(bytes: number, totalBytes: number | undefined, what = ""): void {
    this.#startBytes ??= bytes;
    const now = performance.now();
    if (!this.#isDue(now)) return;
    const rate = (bytes - this.#startBytes) / Math.max(0.001, (now - this.#startedAt) / 1000);
    this.#draw([this.#label, formatProgress(bytes, totalBytes), what, rate > 0 ? `${formatBytes(rate)}/s` : ""]);
  }

  /** For tasks that are counted; `what` names the last item. */
  updateCount(done: number, total: number, what: string): void {
    if (this.#isDue(performance.now())) this.#draw([this.#label, `${done} of ${total}`, what]);
  }

  /** Removes the line from a terminal, so that the task's result takes its place. */
  clear(): void {
    if (this.#output.isTTY) this.#output.write("\r\x1b[2K");
  }

  /** Replaces the line by a last one. */
  finish(text: string): void {
    this.clear();
    this.#output.write(`${this.#label}  ${text}\n`);
  }

  #isDue(now: number): boolean {
    if (now < this.#dueAt) return false;
    this.#dueAt = now + this.#pauseMs;
    return true;
  }

  #draw(parts: readonly string[]): void {
    const line = parts.filter((part) => part !== "").join("  ");
    if (this.#output.isTTY) this.#output.write(`\r\x1b[2K${line.slice(0, (this.#output.columns ?? 80) - 1)}`);
    else this.#output.write(`${line}\n`);
  }
}

/** (512, 1024) -> "[############------------]  50 %  512 B of 1.0 kB". */
export function formatProgress(bytes: number, totalBytes: number | undefined): string {
  if (totalBytes === undefined || totalBytes === 0) return formatBytes(bytes);
  const share = Math.min(1, bytes / totalBytes);
  const filled = Math.floor(share * BAR_WIDTH);
  const bar = `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}]`;
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;
}
