import { type ErrorCode, type GenerationEvent, type GenerationJob, RhoneError, toRhoneError } from "@rhone/common";
import { addressesOf, type StreamRecord } from "../answers/stream-records.js";
import type { ChoiceEvent } from "../answers/writer.js";
import type { GenerationClient } from "../queue/generation-client.js";
import { type Events, mergeEvents } from "./merge-events.js";
import { RunSignals } from "./run-signals.js";

/** "cancelled": nobody waited for the answer any more. Otherwise the error's code. */
export type Outcome = "ok" | Lowercase<ErrorCode>;

/** Follows a run. It must not throw. */
export interface RunObserver {
  began?(): void;
  took?(event: GenerationEvent): void;
  /** Called exactly once for a run that began. */
  ended(outcome: Outcome): void;
}

/** The signal of a choice, to be asked for in their order. */
export type SignalOf = (choice: number) => AbortSignal;

/** Where a run's events come from: jobs that it generates, or jobs of another run that it follows. */
export interface EventSource {
  /** Opens the events of each choice. They end with the reason of the choice's signal when it is aborted. */
  readonly open: (signalOf: SignalOf) => readonly Events[];
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
  const signals = new RunSignals();
  const timer = setTimeout(() => signals.abort(run.lateness()), run.limitMs);
  const leave = () => signals.abort(leaving?.reason);
  leaving?.addEventListener("abort", leave, { once: true });
  if (leaving?.aborted) leave();
  for (const observer of observers) observer.began?.();
  let outcome: Outcome = "cancelled";
  try {
    for await (const choiceEvent of mergeEvents(
      run.open((choice) => signals.of(choice)),
      run.atOnce,
    )) {
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
    signals.abort(new RhoneError("CANCELLED", "The request ended."));
    for (const observer of observers) observer.ended(outcome);
  }
}

interface GeneratedJobs {
  readonly jobs: readonly GenerationJob[];
  readonly atOnce?: number | undefined;
  /** Asked when their reader stops early: whether the jobs go on. */
  readonly detached: () => boolean;
  /** Called for each job that is in the queue. */
  readonly queued?: (() => void) | undefined;
}

/** Generates the jobs' events, until the latest deadline of the jobs. */
export function generating(client: GenerationClient, { jobs, atOnce, detached, queued }: GeneratedJobs): EventSource {
  const limitMs = Math.max(...jobs.map(({ deadlineAtMs, arrivedAtMs }) => deadlineAtMs - arrivedAtMs));
  const message = `The request took longer than ${limitMs / 1000} s; ask for fewer tokens.`;
  return {
    open: (signalOf) => jobs.map((job, choice) => client.generate(job, signalOf(choice), { detached, queued })),
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
    open: (signalOf) => addressesOf(record).map((job, choice) => client.follow(job, signalOf(choice))),
    limitMs: Math.max(0, record.deadlineAtMs - Date.now()) + AFTER_DEADLINE_MS,
    lateness: () => new RhoneError("DEADLINE_EXCEEDED", message),
  };
}
