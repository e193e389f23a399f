import type { ChildProcess } from "node:child_process";
import { identifyProcess, type ProcessIdentity } from "../processes/process-identity.js";

/** Longer than a process that ends at once takes to end. */
const AGAIN_MS = 500;

/** A command that is started again whenever it ends, as systemd would. */
export class KeptCommand {
  readonly #start: () => ChildProcess;
  #child: ChildProcess | null = null;
  #isOver = false;

  constructor(start: () => ChildProcess) {
    this.#start = start;
    this.#run();
  }

  /** The process that runs it now. */
  get identity(): ProcessIdentity | null {
    return this.#child?.pid === undefined ? null : identifyProcess(this.#child.pid);
  }

  /** It is not started again. Its process goes on. */
  close(): void {
    this.#isOver = true;
  }

  #run(): void {
    if (this.#isOver) return;
    this.#child = this.#start();
    this.#child.once("error", () => {});
    this.#child.once("exit", () => setTimeout(() => this.#run(), AGAIN_MS).unref());
  }
}
