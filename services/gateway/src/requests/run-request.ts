import { setMaxListeners } from "node:events";
import { type ErrorCode, type GenerationEvent, type GenerationJob, RhoneError, toRhoneError } from "@rhone/common";
import { addressesOf, type StreamRecord } from "../answers/stream-records.js";
import type { ChoiceEvent } from "../answers/writer.js";
import type { GenerationClient } from "../queue/generation-client.js";

export type Events = AsyncGenerator<GenerationEvent, void, undefined>;

/** "cancelled": nobody waited for the answer any more. Otherwise the error's code. */
export type Outcome = "ok" | Lowercase<ErrorCode>;

/** Follows a run. It must not throw. */
export interface RunObserver {
  began?(): void;
  took?(event: GenerationEvent): void;
  /** Called exactly once for a run that began. */
  ended(outcome: Outcome): void;
}

/** Where a run's events come from: jobs that it generates, or jobs of another run that it follows. */
export interface EventSource {
  /** Opens the events of each choice. They end with the signal's reason when it is aborted. */
  readonly open: (signal: AbortSignal) => readonly Events[];
  /** Most choices that are open at a time; all of them when absent. */
  readonly atOnce?: number | undefined;
  /** The run may take this long. */
  readonly limitMs: number;
  /** Thrown when it takes longer. */
  readonly lateness: () => RhoneError;
}

export interface RequestRun extends EventSource {
  /** Aborted, with the reason, when nobody waits for the answer any more; absent: the run goes on in any case. */
  readonly leaving?: AbortSignal | undefined;
  readonly observers: readonly RunObserver[];
}

/**
 * Runs one request and yields the events of its choices as they arrive. It ends early at its time limit, when the
 * caller leaves, when a choice fails, or when the reader stops reading; whatever still runs is aborted then. Every way
 * of answering goes through here: whole and streamed answers, batch lines, and replays.
 */
export async function* runRequest(run: RequestRun): AsyncGenerator<ChoiceEvent, void, undefined> {
  const { leaving, observers } = run;
  const abort = new AbortController();
  // Each choice listens, of up to 2,048; Node suspects a leak above ten.
  setMaxListeners(0, abort.signal);
  const timer = setTimeout(() => abort.abort(run.lateness()), run.limitMs);
  const leave = () => abort.abort(leaving?.reason);
  leaving?.addEventListener("abort", leave, { once: true });
  if (leaving?.aborted) leave();
  for (const observer of observers) observer.began?.();
  let outcome: Outcome = "cancelled";
  try {
    for await (const choiceEvent of mergeEvents(run.open(abort.signal), run.atOnce)) {
      for (const observer of observers) observer.took?.(choiceEvent.event);
      yield choiceEvent;
    }
    outcome = "ok";
  } catch (error) {
    outcome = toRhoneError(error).code.toLowerCase() as Lowercase<ErrorCode>;
    throw error;
  } finally {
    clearTimeout(timer);
    leaving?.removeEventListener("abort", leave);
    abort.abort(new RhoneError("CANCELLED", "The request ended."));
    for (const observer of observers) observer.ended(outcome);
  }
}

interface GeneratedJobs {
  readonly jobs: readonly GenerationJob[];
  readonly atOnce?: number | undefined;
  /** The jobs go on when their reader stops. */
  readonly detached: boolean;
}

/** Generates the jobs' events, until the latest deadline of the jobs. */
export function generating(client: GenerationClient, { jobs, atOnce, detached }: GeneratedJobs): EventSource {
  const limitMs = Math.max(...jobs.map(({ deadlineAtMs, arrivedAtMs }) => deadlineAtMs - arrivedAtMs));
  const message = `The request took longer than ${limitMs / 1000} s; ask for fewer tokens.`;
  return {
    open: (signal) => jobs.map((job) => client.generate(job, signal, { detached })),
    atOnce,
    limitMs,
    lateness: () => new RhoneError("DEADLINE_EXCEEDED", message),
  };
}

/** The coordinator ends a request at its deadline. A token log that has not ended by then plus 5 s is gone. */
const AFTER_DEADLINE_MS = 5000;

/** Reads the events of jobs that some gateway submitted, from the beginning of their token logs. */
export function following(client: GenerationClient, record: StreamRecord): EventSource {
  const message = "The request's deadline has passed and its events are gone; send the request again.";
  return {
    open: (signal) => addressesOf(record).map((job) => client.follow(job, signal)),
    limitMs: Math.max(0, record.deadlineAtMs - Date.now()) + AFTER_DEADLINE_MS,
    lateness: () => new RhoneError("DEADLINE_EXCEEDED", message),
  };
}

/** Merges the events of choices, `atOnce` at a time. The first failure ends it; stopping early ends every source. */
export async function* mergeEvents(
  sources: readonly Events[],
  atOnce = sources.length,
): AsyncGenerator<ChoiceEvent, void, undefined> {
  const [only] = sources;
  if (sources.length === 1 && only !== undefined) {
    for await (const event of only) yield { choice: 0, event };
    return;
  }
  const arrivals = new Arrivals<{ readonly choice: number; readonly result: IteratorResult<GenerationEvent, void> }>();
  const pull = async (choice: number) => ({ choice, result: await (sources[choice] as Events).next() });
  let begun = Math.min(atOnce, sources.length);
  for (let choice = 0; choice < begun; choice++) arrivals.add(pull(choice));
  try {
    while (arrivals.expected > 0) {
      const { choice, result } = await arrivals.next();
      if (result.done !== true) {
        arrivals.add(pull(choice));
        yield { choice, event: result.value };
      } else if (begun < sources.length) arrivals.add(pull(begun++));
    }
  } finally {
    for (const source of sources) source.return().catch(() => {});
  }
}

/**
 * Results in the order in which they come. Promise.race over the same promises again and again would leave a reaction
 * with each that still waits: of 2,048 choices, 5,000 events left 10 million, which took 1 GB and seconds to settle.
 */
class Arrivals<T> {
  readonly #arrived: T[] = [];
  #failure: { readonly reason: unknown } | undefined;
  #expected = 0;
  #wake: () => void = () => {};

  /** Added and not taken yet. */
  get expected(): number {
    return this.#expected;
  }

  add(promise: Promise<T>): void {
    this.#expected++;
    promise
      .then(
        (result) => this.#arrived.push(result),
        (reason: unknown) => {
          this.#failure ??= { reason };
        },
      )
      .finally(() => this.#wake());
  }

  /** Throws the first failure as soon as it is known. */
  async next(): Promise<T> {
    while (true) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      const [first] = this.#arrived.splice(0, 1);
      if (first !== undefined) {
        this.#expected--;
        return first;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
