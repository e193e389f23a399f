import type { Phase, ProgressEvent } from "../cluster/progress.js";
import type { TerminalOutput } from "../terminal/progress-bar.js";
import type { Style } from "../terminal/style.js";

const LABELS: Readonly<Record<Phase, string>> = {
  member: "Cluster",
  model: "Model",
  redis: "Redis",
  coordinator: "Coordinator",
  workers: "Workers",
  weights: "Weights",
  probe: "Probe",
  gateway: "Gateway",
};
const LABEL_WIDTH = 11;
const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;
const TICK_MS = 80;
const CLEAR = "\r\x1b[2K";

/**
 * Shows a cluster starting, one line per phase. On a terminal, the line of the current phase is redrawn until it is
 * done; elsewhere only finished phases are written. The last line is `ready URL`.
 */
export class PhaseRenderer {
  readonly #output: TerminalOutput;
  readonly #style: Style;
  #running: { readonly phase: Phase; readonly text: string } | undefined;
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: TerminalOutput, style: Style) {
    this.#output = output;
    this.#style = style;
  }

  show(event: ProgressEvent): void {
    if (event.kind === "phase" && !event.done) this.#run(event);
    else if (event.kind === "phase") {
      if (this.#running?.phase === event.phase) this.#running = undefined;
      this.#line(`${this.#style.green("✓")} ${label(event.phase)}  ${event.text}`);
    } else if (event.kind === "note" || event.kind === "warning") this.note(event.text);
    else if (event.kind === "invitation") {
      this.note(`Other machines join by this command (${event.admits}):`);
      this.#line(`  ${event.command}`);
    } else if (event.kind === "ready" || event.kind === "member") {
      this.close();
      this.#output.write(event.kind === "ready" ? `ready ${event.url}\n` : `joined: ${event.text}\n`);
    }
  }

  /** A line between the phases. */
  note(text: string): void {
    this.#line(this.#style.dim(`  ${text}`));
  }

  /** Clears the unfinished line and stops redrawing. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#running !== undefined && this.#output.isTTY) this.#output.write(CLEAR);
    this.#running = undefined;
  }

  #run(running: { readonly phase: Phase; readonly text: string }): void {
    this.#running = running;
    if (!this.#output.isTTY) return;
    this.#timer ??= setInterval(() => {
      this.#frame++;
      this.#draw();
    }, TICK_MS).unref();
    this.#draw();
  }

  #line(text: string): void {
    this.#output.write(`${this.#output.isTTY ? CLEAR : ""}${text}\n`);
    this.#draw();
  }

  #draw(): void {
    if (this.#running === undefined || !this.#output.isTTY) return;
    const { phase, text } = this.#running;
    const room = (this.#output.columns ?? 80) - LABEL_WIDTH - 5;
    const spinner = SPINNER[this.#frame % SPINNER.length] ?? "";
    this.#output.write(`${CLEAR}${this.#style.yellow(spinner)} ${label(phase)}  ${text.slice(0, room)}`);
  }
}

const label = (phase: Phase): string => LABELS[phase].padEnd(LABEL_WIDTH);
