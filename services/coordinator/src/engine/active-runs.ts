import type { Sequence } from "../scheduler/sequence.js";
import type { Generation } from "./generation.js";

/** Node's timers hold at most 2^31 - 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** One generation from its job's arrival until its last event is written. */
class Run {
  readonly generation: Generation;
  readonly done: Promise<void>;
  /** Its last event was made; it only waits to be written. */
  finished = false;
  resolve!: () => void;
  reject!: (error: Error) => void;
  #deadline: NodeJS.Timeout | undefined;

  constructor(generation: Generation) {
    this.generation = generation;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  startDeadline(onPassed: () => void): void {
    const leftMs = this.generation.sequence.job.deadlineAtMs - Date.now();
    this.#deadline = setTimeout(onPassed, Math.min(Math.max(0, leftMs), LONGEST_TIMER_MS));
  }

  stopDeadline(): void {
    clearTimeout(this.#deadline);
  }
}

/** The generations that this coordinator is answerable for, by request. */
export class ActiveRuns {
  readonly #runs = new Map<string, Run>();

  start(generation: Generation): Run {
    const run = new Run(generation);
    this.#runs.set(generation.requestId, run);
    return run;
  }

  get(requestId: string): Run | undefined {
    return this.#runs.get(requestId);
  }

  /** The run of `sequence` while it still generates. */
  of(sequence: Sequence): Run | undefined {
    const run = this.#runs.get(sequence.job.requestId);
    return run?.generation.sequence === sequence && !run.finished ? run : undefined;
  }

  /** Those that still generate. */
  generations(): readonly Generation[] {
    return [...this.#runs.values()].filter((run) => !run.finished).map((run) => run.generation);
  }

  finish(generation: Generation): void {
    const run = this.of(generation.sequence);
    if (run === undefined) return;
    run.finished = true;
    run.stopDeadline();
  }

  /** Its last event is written. */
  settle(requestId: string): void {
    this.#runs.get(requestId)?.resolve();
    this.#runs.delete(requestId);
  }

  /** Gives a run up; its events are nobody's here any more. */
  drop(requestId: string, error: Error): Generation | undefined {
    const run = this.#runs.get(requestId);
    if (run === undefined) return undefined;
    run.stopDeadline();
    run.reject(error);
    this.#runs.delete(requestId);
    return run.generation;
  }

  rejectAll(error: Error): void {
    for (const requestId of [...this.#runs.keys()]) this.drop(requestId, error);
  }
}
