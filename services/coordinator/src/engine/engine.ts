import {
  type ErrorCode,
  type Finish,
  type GenerationJob,
  type Logger,
  RhoneError,
  type TraceSpan,
} from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { Metrics } from "../metrics.js";
import type { LaneCounts } from "../scheduler/lane-counts.js";
import type { SpanOutcome } from "../scheduler/micro-batch.js";
import type { HeldLinks } from "../scheduler/pages/held-links.js";
import {
  type Interrupted,
  MOST_LOSSES,
  Scheduler,
  type SchedulerOptions,
  type Workload,
} from "../scheduler/scheduler.js";
import type { Sequence } from "../scheduler/sequence.js";
import type { LoggedEvent } from "../token-log/append-events.js";
import { NOTHING_RECORDED, type RecordedGeneration } from "../token-log/recorded.js";
import type { EventLog } from "../token-log/token-log.js";
import { decodeResult, decodeTimes, type SpanAnswer } from "../wire/decode-result.js";
import { ActiveRuns, type Run } from "./active-runs.js";
import { failure, Generation, type GenerationRules, refusalOf } from "./generation.js";
import { PhaseTimes } from "./phase-times.js";
import { SequenceTraces } from "./sequence-traces.js";
import { type SentStep, type StepLink, StepLoop } from "./step-loop.js";
import { StepMeter } from "./step-meter.js";
import { TokenTally } from "./token-tally.js";

export interface EngineOptions extends SchedulerOptions {
  readonly recoveryTimeoutMs: number;
  readonly rules: GenerationRules;
  readonly log: EventLog;
  readonly metrics: Metrics;
  /** Bytes of a row of activations between stages; 0 when absent. */
  readonly activationBytes?: number;
  readonly logger: Logger;
  /** Milliseconds on a monotonic clock; the performance clock when absent. */
  readonly now?: () => number;
}

/** Why a pipeline is given up that has not failed. */
const IN_ORDER: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["EPOCH_CHANGED", "SHUTTING_DOWN"]);

/**
 * Runs requests: the scheduler decides what runs, the step loop runs it through the pipeline, and the engine records
 * what comes back. It reacts to new requests and to results; it waits for neither Redis nor a timer.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #scheduler: Scheduler;
  readonly #steps: StepLoop;
  readonly #meter: StepMeter;
  readonly #runs = new ActiveRuns();
  readonly #traces = new SequenceTraces();
  readonly #tally = new TokenTally();
  #closed = false;
  #recoveryTimer: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#scheduler = new Scheduler(options);
    this.#meter = new StepMeter(options.metrics, options.activationBytes);
    this.#steps = new StepLoop({
      decide: () => this.#scheduler.decide(),
      isHeldUp: () => options.log.full,
      onSent: (sent) => this.#sent(sent),
      endTokens: options.rules.endTokens,
      now: () => this.#now(),
    });
  }

  get counts() {
    const { pages, running, waiting, evictions } = this.#scheduler;
    const { tokens, drafts } = this.#tally;
    return { pages, running, waiting, evictions, tokens, drafts, hopMs: this.#meter.hopMs };
  }

  /** Sequences by lane. */
  get lanes(): LaneCounts {
    return this.#scheduler.lanes;
  }

  /** Counts sequences of which the pipeline was lost in another coordinator, too. */
  get interrupted(): Interrupted {
    return this.#scheduler.interrupted;
  }

  /** What a request that arrives now would meet, and the tokens that an answer takes. */
  get workload(): Workload & { readonly answerTokens: number } {
    const { answerTokens } = this.#tally;
    return { ...this.#scheduler.workload(answerTokens), answerTokens };
  }

  /** Of the texts in the prefix cache. */
  get links(): HeldLinks {
    return this.#scheduler.links;
  }

  /** When the oldest micro-batch in flight was sent, on the engine's clock; null when none is. */
  get waitingSince(): number | null {
    return this.#steps.waitingSince;
  }

  /**
   * Generates one sequence. Resolves when its last event is written; a second call for the same request joins the
   * first. `recorded`: what its log holds already. `span`: of a sequence that is traced; it ends with the sequence.
   * Rejects with EPOCH_CHANGED when another coordinator has continued it, SHUTTING_DOWN when this one closes.
   */
  run(
    job: GenerationJob,
    recorded: RecordedGeneration = NOTHING_RECORDED,
    span: TraceSpan | null = null,
  ): Promise<void> {
    if (this.#closed) return Promise.reject(shuttingDown());
    const active = this.#runs.get(job.requestId);
    if (active !== undefined) return active.done;
    const { rules } = this.#options;
    const sequence = this.#scheduler.arrive(job, recorded.tokens);
    const run = this.#start(sequence, recorded);
    if (span !== null) this.#traces.begin(sequence, span);
    this.#tally.arrived(sequence.promptLength);
    const refusal = refusalOf(sequence, rules);
    if (refusal !== null) this.#end(run, refusal);
    else {
      this.#scheduler.add(sequence);
      run.startDeadline(() => this.#end(run, failure("DEADLINE_EXCEEDED", lateness(job))));
      this.#steps.pumpSoon();
    }
    return run.done;
  }

  /** Of a sequence that another coordinator began, nobody knows all times. */
  #start(sequence: Sequence, recorded: RecordedGeneration): Run {
    const { rules } = this.#options;
    const times = new PhaseTimes();
    const timings = () => (recorded.tokens.length > 0 ? null : times.endingAt(this.#now()));
    return this.#runs.start(new Generation({ sequence, rules, recorded, timings }), times);
  }

  cancel(requestId: string): void {
    const run = this.#runs.get(requestId);
    if (run !== undefined) this.#end(run, { reason: "cancelled" });
  }

  fail(requestId: string, { code, message }: RhoneError): void {
    const run = this.#runs.get(requestId);
    if (run !== undefined) this.#end(run, failure(code, message));
  }

  /** Gives up a request that has not begun here: its run rejects with `reason`. False when it has begun or ended. */
  handBack(requestId: string, reason: Error): boolean {
    return this.lackingOf(requestId) !== null && this.#drop(requestId, reason);
  }

  /** Another coordinator has taken the request: its run rejects with EPOCH_CHANGED. */
  lose(requestId: string): void {
    const why = `Another coordinator has continued request ${requestId}.`;
    if (this.#drop(requestId, new RhoneError("EPOCH_CHANGED", why))) this.#steps.pumpSoon();
  }

  /** Whether a run of the request has not ended. */
  isRunning(requestId: string): boolean {
    return this.#runs.get(requestId) !== undefined;
  }

  /** Rows that a request will have to compute when it begins; null when it has begun or ended. */
  lackingOf(requestId: string): number | null {
    const run = this.#runs.get(requestId);
    if (run === undefined || run.finished) return null;
    const { phase, hasRun, lacks } = run.generation.sequence;
    return phase === "waiting" && !hasRun ? lacks : null;
  }

  /** A pipeline is ready. */
  attach(link: StepLink): void {
    clearTimeout(this.#recoveryTimer);
    this.#steps.attach(link);
    this.#meter.attach(link.stages);
    this.#scheduler.resume(link);
    this.#steps.pump();
  }

  /** Sends no more steps through this pipeline. Resolves when those in flight have returned, or it is lost. */
  settle(): Promise<void> {
    return this.#steps.settle();
  }

  /**
   * The pipeline is lost. Sequences keep their tokens and wait for the next one, at most `recoveryTimeoutMs`; those
   * with which pipelines fail again and again are ended.
   */
  detach(reason: RhoneError): void {
    if (!this.#steps.isAttached) return;
    this.#steps.detach();
    this.#traces.lost(reason);
    this.#endPoisonous(this.#scheduler.suspend({ hasFailed: !IN_ORDER.has(reason.code) }), reason);
    const { recoveryTimeoutMs } = this.#options;
    const lost = `The pipeline was lost and did not come back within ${recoveryTimeoutMs / 1000} s`;
    const finish = failure("WORKER_LOST", `${lost}. Why it was lost: ${reason.message}`);
    this.#recoveryTimer = setTimeout(() => {
      for (const run of this.#runs.generating()) this.#end(run, finish);
    }, recoveryTimeoutMs);
  }

  /**
   * The last stage has prepared the grammar of the sequence with this wire id, or has refused it with `error`. A
   * sequence that has ended or was closed meanwhile is nobody's.
   */
  prepared(wireId: number, error: RhoneError | null): void {
    const sequence = this.#scheduler.opened(wireId);
    const run = sequence && this.#runs.of(sequence);
    if (sequence === undefined || run === undefined) return;
    if (error === null) this.#scheduler.prepared(sequence);
    else this.#end(run, failure(error.code, error.message));
    this.#steps.pumpSoon();
  }

  /** The result of the oldest step in flight. Throws STAGE_FAILED when it is of another step or incomplete. */
  record(step: number, result: rhone.v1.StepResult.$Properties): void {
    const returnedAt = this.#now();
    const { batch, sentAt } = this.#steps.returned(step);
    const timings = result.timings ?? [];
    const answers = decodeResult(batch, result, this.#options.rules.vocabSize);
    this.#traces.returned(answers, { timings, ranMs: returnedAt - sentAt });
    const { events, outcomes } = this.#read(answers, returnedAt);
    this.#scheduler.complete(batch, outcomes, decodeTimes(timings, returnedAt - sentAt));
    this.#meter.recorded({ batch, sentAt, returnedAt, recordedAt: this.#now(), timings });
    this.#steps.proceed(); // the stages work on while the events are written
    this.#write(events);
    this.#checkPages();
  }

  /** Every run is rejected with SHUTTING_DOWN; its job goes back to the queue. */
  close(): void {
    clearTimeout(this.#recoveryTimer);
    this.#steps.close();
    this.#scheduler.suspend();
    this.#closed = true;
    this.#runs.rejectAll(shuttingDown());
    this.#traces.close(shuttingDown());
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }

  #sent({ batch, decidedAt, sentAt }: SentStep): void {
    for (const { sequence } of batch.spans) {
      if (sequence.generated === 0) this.#runs.of(sequence)?.times.began(sentAt, sequence.job.arrivedAtMs);
    }
    this.#meter.decided(batch, sentAt - decidedAt);
    this.#traces.sent(batch);
  }

  /** The events and the outcomes of a step's spans; spans whose requests ended meanwhile have none. */
  #read(
    answers: readonly SpanAnswer[],
    returnedAt: number,
  ): { readonly events: LoggedEvent[]; readonly outcomes: SpanOutcome[] } {
    const events: LoggedEvent[] = [];
    const outcomes: SpanOutcome[] = [];
    for (const answer of answers) {
      const { span, tokens } = answer;
      const run = this.#runs.of(span.sequence);
      if (run === undefined) continue;
      if (tokens.length > 0) run.times.drew(returnedAt);
      const taken = run.generation.advance(answer);
      for (const event of taken) events.push({ owner: span.sequence.job, event });
      if (tokens.length > 0) {
        this.#tally.drew({ generated: taken.length, guessed: span.drafts.length, right: tokens.length - 1 });
      }
      const finish = taken.at(-1)?.finish;
      if (finish !== undefined) this.#finish(run, finish);
      outcomes.push({ span, tokens: tokens.map(({ token }) => token), ended: finish !== undefined });
    }
    return { events, outcomes };
  }

  /** Ends a run outside a step. */
  #end(run: Run, finish: Finish): void {
    const { generation } = run;
    if (run.finished) return;
    this.#finish(run, finish);
    this.#scheduler.end(generation.sequence);
    this.#write([{ owner: generation.sequence.job, event: generation.end(finish) }]);
    this.#steps.pumpSoon(); // the stages must forget it, and others may have its pages
  }

  #endPoisonous(sequences: readonly Sequence[], reason: RhoneError): void {
    const lost = `The pipeline was lost ${MOST_LOSSES} times in a row when it began with this request`;
    const finish = failure("REQUEST_BREAKS_PIPELINE", `${lost}; the last time: ${reason.message}`);
    for (const sequence of sequences) {
      const run = this.#runs.of(sequence);
      if (run !== undefined) this.#end(run, finish);
    }
  }

  #finish(run: Run, finish: Finish): void {
    run.finish();
    this.#traces.ended(run.generation.sequence, finish);
    const { cachedTokens: cached, generated } = run.generation.sequence;
    this.#tally.ended({ cached, generated });
    this.#options.metrics.finished.inc({ reason: finish.reason === "error" ? finish.code : finish.reason });
  }

  #write(events: readonly LoggedEvent[]): void {
    if (events.length === 0) return;
    this.#options.log.append(events).then(
      (fenced) => this.#written(events, fenced),
      (err: unknown) => this.#options.logger.error({ err }, "token log closed with events unwritten"),
    );
  }

  #written(events: readonly LoggedEvent[], fenced: readonly string[]): void {
    for (const requestId of fenced) this.lose(requestId);
    for (const { event } of events) {
      if (event.finish !== undefined && !fenced.includes(event.requestId)) this.#runs.settle(event.requestId);
    }
    if (this.#steps.isIdle) this.#steps.pumpSoon();
  }

  /** Gives a run up; false when there is none. */
  #drop(requestId: string, reason: Error): boolean {
    const generation = this.#runs.drop(requestId, reason);
    if (generation === undefined) return false;
    this.#scheduler.end(generation.sequence);
    this.#traces.dropped(generation.sequence, reason);
    return true;
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

function lateness({ deadlineAtMs, arrivedAtMs }: GenerationJob): string {
  const seconds = (deadlineAtMs - arrivedAtMs) / 1000;
  return `The answer was not complete within ${seconds} s; ask for fewer tokens, or allow more time.`;
}
