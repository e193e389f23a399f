import type { Sequence } from "../scheduler/sequence.js";
import type { Generation } from "./generation.js";
import { PhaseTimes } from "./phase-times.js";

/** Node's timers hold at most 2^31 - 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** One request from its job's arrival until its last event is written. */
export class Run {
  readonly generation: Generation;
  readonly times: PhaseTimes;
  /** Settles with the run; see Engine.run. */
  readonly done: Promise<void>;
  resolve!: () => void;
  reject!: (error: Error) => void;
  #finished = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(generation: Generation, times = new PhaseTimes()) {
    this.generation = generation;
    this.times = times;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Its last event is made and only waits to be written. */
  get finished(): boolean {
    return this.#finished;
  }

  startDeadline(onPassed: () => void): void {
    const leftMs = this.generation.sequence.job.deadlineAtMs - Date.now();
    this.#deadline = setTimeout(onPassed, Math.min(Math.max(0, leftMs), LONGEST_TIMER_MS));
  }

  finish(): void {
    this.#finished = true;
    clearTimeout(this.#deadline);
  }
}

/** The requests that this coordinator has taken and not completed, by id. */
export class ActiveRuns {
  readonly #runs = new Map<string, Run>();

  start(generation: Generation, times?: PhaseTimes): Run {
    const run = new Run(generation, times);
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

  /** The runs that still generate. */
  generating(): readonly Run[] {
    return [...this.#runs.values()].filter((run) => !run.finished);
  }

  /** The request's last event is written. */
  settle(requestId: string): void {
    this.#runs.get(requestId)?.resolve();
    this.#runs.delete(requestId);
  }

  /** Gives a run up: its `done` rejects, and its events belong to another coordinator. Returns its generation. */
  drop(requestId: string, error: Error): Generation | undefined {
    const run = this.#runs.get(requestId);
    if (run === undefined) return undefined;
    run.finish();
    run.reject(error);
    this.#runs.delete(requestId);
    return run.generation;
  }

  rejectAll(error: Error): void {
    for (const requestId of [...this.#runs.keys()]) this.drop(requestId, error);
  }
}
