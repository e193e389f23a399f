import {
  type ErrorCode,
  type Finish,
  type GenerationJob,
  type Logger,
  RhoneError,
  type TokenCounts,
  type TokenLogprob,
} from "@rhone/common";
import type { PipelineTimes } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { Metrics } from "../metrics.js";
import type { TargetItl } from "../scheduler/budget/prefill-budget.js";
import type { MicroBatch, PlannedSpan } from "../scheduler/micro-batch.js";
import type { KvShape } from "../scheduler/pages/window.js";
import { Scheduler } from "../scheduler/scheduler.js";
import { Sequence } from "../scheduler/sequence.js";
import type { EventLog, LoggedEvent } from "../token-log/event-log.js";
import { decodeResult, type SpanAnswer } from "../wire/decode-result.js";
import { encodeStep } from "../wire/encode-step.js";
import { ActiveRuns } from "./active-runs.js";
import { Generation, type GenerationRules } from "./generation.js";
import { StepMeter } from "./step-meter.js";

/** A pipeline that is ready: frames sent through it come back in order as results. */
export interface StepLink {
  readonly stages: number;
  readonly pages: number;
  /** How long each stage takes, in order; null where a worker could not measure it. */
  readonly stepTimes: PipelineTimes | null;
  /** Returns the step's number. */
  send(step: rhone.v1.Step.$Properties): number;
}

interface InFlight {
  readonly step: number;
  readonly batch: MicroBatch;
  readonly sentAt: number;
}

/** A sequence whose micro-batch failed so often is ended: it may be what makes the stage fail. */
const MOST_FAILURES = 3;

export interface EngineOptions {
  readonly shape: KvShape;
  readonly maxSequences: number;
  readonly targetItl: TargetItl;
  readonly maxDrafts: number;
  readonly recoveryTimeoutMs: number;
  readonly rules: GenerationRules;
  readonly log: EventLog;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Milliseconds on a clock that only goes forward; the performance clock when absent. */
  readonly now?: () => number;
}

/**
 * The step loop: decide what runs, run it through the pipeline, record what came back. It reacts to new work and to
 * results; it waits for neither Redis nor a timer.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #scheduler: Scheduler;
  readonly #runs = new ActiveRuns();
  #link: StepLink | null = null;
  readonly #meter: StepMeter;
  #inFlight: InFlight[] = [];
  #arrivals = 0;
  #pumpDue = false;
  #closed = false;
  #giveUp: NodeJS.Timeout | undefined;
  readonly #tokens = { prompt: 0, cached: 0, generated: 0, drafted: 0, accepted: 0 };

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#scheduler = new Scheduler(options);
    this.#meter = new StepMeter(options.metrics, this.#scheduler);
  }

  get counts() {
    const { pages, running, waiting, preemptions } = this.#scheduler;
    return { pages, running, waiting, preemptions, tokens: { ...this.#tokens } };
  }

  /** When the oldest micro-batch in flight was sent, on the performance clock; null when none is. */
  get waitingSince(): number | null {
    return this.#inFlight[0]?.sentAt ?? null;
  }

  /**
   * Generates one sequence. Resolves when its last event is written; a second call for the same request joins the first.
   * `recorded` and `ordinal`: the tokens that its log holds already, and the number of their events.
   * Rejects with EPOCH_CHANGED when another coordinator has continued it, SHUTTING_DOWN when this one closes.
   */
  run(job: GenerationJob, recorded: readonly number[] = [], ordinal = 0): Promise<void> {
    if (this.#closed) return Promise.reject(shuttingDown());
    const active = this.#runs.get(job.requestId);
    if (active !== undefined) return active.done;
    const { shape, rules } = this.#options;
    const arrival = this.#arrivals++;
    const sequence = new Sequence({ job, generated: recorded, arrival, pageSize: shape.pageSize });
    const run = this.#runs.start(new Generation({ sequence, rules, recorded, ordinal }));
    this.#count("prompt", sequence.promptLength);
    const refusal = this.#refusal(sequence);
    if (refusal !== null) this.#end(run.generation, refusal);
    else {
      this.#scheduler.add(sequence);
      run.startDeadline(() => this.#end(run.generation, failure("DEADLINE_EXCEEDED", "The deadline passed.")));
      this.#pumpSoon();
    }
    return run.done;
  }

  cancel(requestId: string): void {
    const run = this.#runs.get(requestId);
    if (run !== undefined) this.#end(run.generation, { reason: "cancelled" });
  }

  /** A pipeline is ready. */
  attach(link: StepLink): void {
    clearTimeout(this.#giveUp);
    this.#link = link;
    this.#meter.attach(link.stages);
    this.#scheduler.resume(link);
    this.#pump();
  }

  /** The pipeline is gone. Sequences keep their tokens and wait for the next, but not for ever. */
  detach(): void {
    if (this.#link === null) return;
    this.#link = null;
    this.#inFlight = [];
    this.#scheduler.suspend();
    const { recoveryTimeoutMs } = this.#options;
    this.#giveUp = setTimeout(() => {
      this.#endAll(
        failure("WORKER_LOST", `A worker was lost and no pipeline stood again in ${recoveryTimeoutMs / 1000} s.`),
      );
    }, recoveryTimeoutMs);
  }

  /** A stage could not run `step`. Sequences that were in failing steps again and again are ended. */
  blame(step: number, error: RhoneError): void {
    const batch = this.#inFlight.find((entry) => entry.step === step)?.batch;
    for (const { sequence } of batch?.spans ?? []) {
      if (++sequence.failures < MOST_FAILURES) continue;
      const run = this.#runs.of(sequence);
      if (run !== undefined) this.#end(run.generation, failure(error.code, error.message));
    }
  }

  /** The result of the oldest step in flight. Throws STAGE_FAILED when it is not that, or lacks what was asked for. */
  record(step: number, result: rhone.v1.StepResult.$Properties): void {
    const startedAt = this.#now();
    const entry = this.#inFlight.shift();
    if (entry === undefined || entry.step !== step) {
      throw new RhoneError("STAGE_FAILED", `Result of step ${step} came when step ${entry?.step ?? "none"} was due.`);
    }
    this.#scheduler.returned(entry.batch);
    const events = this.#readResult(entry.batch, result);
    this.#meter.measure({ ...entry, startedAt, recordedAt: this.#now() }, result.timings ?? []);
    this.#pump(); // the stages work on while the events are written
    this.#write(events);
    this.#checkPages();
  }

  /** Every run is rejected with SHUTTING_DOWN; its job goes back to the queue. */
  close(): void {
    clearTimeout(this.#giveUp);
    this.#link = null;
    this.#scheduler.suspend();
    this.#closed = true;
    this.#runs.rejectAll(shuttingDown());
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }

  #pumpSoon(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    // Requests that arrive together share a step.
    setImmediate(() => {
      this.#pumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { rules, log } = this.#options;
    while (this.#link !== null && !log.full) {
      const startedAt = this.#now();
      const batch = this.#scheduler.decide();
      if (batch === null) return;
      const step = this.#link.send(encodeStep(batch, rules.endTokens));
      const sentAt = this.#now();
      this.#inFlight.push({ step, batch, sentAt });
      this.#meter.decided(batch, sentAt - startedAt);
    }
  }

  /** Whole before any of it is applied: a result read half would leave holes in the logs. */
  #readResult(batch: MicroBatch, result: rhone.v1.StepResult.$Properties): readonly LoggedEvent[] {
    const events: LoggedEvent[] = [];
    for (const answer of decodeResult(batch, result)) {
      const run = this.#runs.of(answer.span.sequence);
      if (run !== undefined) events.push(...this.#apply(run.generation, answer)); // else it ended meanwhile
    }
    return events;
  }

  #apply(generation: Generation, { span, tokens, scores, pooled }: SpanAnswer): readonly LoggedEvent[] {
    generation.addPromptScores(span.position, scores);
    if (pooled !== null) generation.addPooled(span, pooled);
    if (tokens.length > 0) return this.#advance(generation, span, tokens);
    const { job, due } = span.sequence;
    const promptWasAll = job.maxTokens === 0 && span.position + span.count === due;
    return promptWasAll ? [this.#close(generation, { reason: "length" })] : [];
  }

  /** One event per token, up to the one that ends the text. */
  #advance(generation: Generation, span: PlannedSpan, tokens: readonly TokenLogprob[]): readonly LoggedEvent[] {
    const { sequence } = span;
    const { replyTo } = sequence.job;
    const events: LoggedEvent[] = [];
    sequence.failures = 0;
    this.#count("drafted", span.drafts.length);
    this.#count("accepted", tokens.length - 1);
    for (const score of tokens) {
      const event = generation.take(score);
      events.push({ replyTo, event });
      if (event.finish === undefined) continue;
      this.#count("generated", events.length);
      this.#forget(generation, event.finish);
      return events;
    }
    this.#count("generated", events.length);
    this.#scheduler.advance(
      span,
      tokens.map(({ token }) => token),
    );
    return events;
  }

  #count(kind: keyof TokenCounts, tokens: number): void {
    if (tokens === 0) return;
    this.#tokens[kind] += tokens;
    this.#options.metrics.tokens.inc({ kind }, tokens);
  }

  #close(generation: Generation, finish: Finish): LoggedEvent {
    this.#forget(generation, finish);
    return { replyTo: generation.sequence.job.replyTo, event: generation.end(finish) };
  }

  #forget(generation: Generation, finish: Finish): void {
    this.#count("cached", generation.sequence.cachedTokens);
    this.#scheduler.end(generation.sequence);
    this.#runs.finish(generation);
    this.#options.metrics.finished.inc({ reason: finish.reason === "error" ? finish.code : finish.reason });
  }

  /** Ends a generation outside a step. */
  #end(generation: Generation, finish: Finish): void {
    if (this.#runs.of(generation.sequence) === undefined) return;
    this.#write([this.#close(generation, finish)]);
    this.#pumpSoon(); // the stages must hear of it, and others may have its pages
  }

  #endAll(finish: Finish): void {
    for (const generation of this.#runs.generations()) this.#end(generation, finish);
  }

  #write(events: readonly LoggedEvent[]): void {
    if (events.length === 0) return;
    this.#options.log.append(events).then(
      (fenced) => this.#written(events, fenced),
      (err: unknown) => this.#options.logger.error({ err }, "token log closed with events unwritten"),
    );
  }

  #written(events: readonly LoggedEvent[], fenced: readonly string[]): void {
    for (const requestId of fenced) {
      const generation = this.#runs.drop(
        requestId,
        new RhoneError("EPOCH_CHANGED", `Another coordinator has continued request ${requestId}.`),
      );
      if (generation !== undefined) this.#scheduler.end(generation.sequence);
    }
    for (const { event } of events) if (event.finish !== undefined) this.#runs.settle(event.requestId);
    if (this.#inFlight.length === 0) this.#pumpSoon();
  }

  #refusal({ job, promptLength, due }: Sequence): Finish | null {
    const { contextLength } = this.#options.rules;
    if (promptLength > contextLength || (promptLength === contextLength && job.maxTokens > 0)) {
      const why = `The prompt has ${promptLength} tokens; the model's context of ${contextLength} leaves no room to answer.`;
      return failure("CONTEXT_LENGTH_EXCEEDED", why);
    }
    if (job.deadlineAtMs <= Date.now()) return failure("DEADLINE_EXCEEDED", "The deadline passed in the queue.");
    const readsPrompt = job.promptLogprobs !== null || job.pooling !== null;
    const nothingToCompute = job.maxTokens === 0 && (!readsPrompt || due === 0);
    return nothingToCompute ? { reason: "length" } : null;
  }

  #checkPages(): void {
    const leaked = this.#scheduler.leakedPages;
    if (leaked === 0) return;
    this.#options.metrics.pageLeaks.inc();
    this.#options.logger.error({ leaked, total: this.#scheduler.pages.total }, "pages are missing from the pool");
  }
}

function shuttingDown(): RhoneError {
  return new RhoneError("SHUTTING_DOWN", "The coordinator is shutting down.");
}

function failure(code: ErrorCode, message: string): Finish {
  return { reason: "error", code, message };
}
