import { type Finish, type RhoneError, type SpanAttributes, type TraceSpan, toRhoneError } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import type { MicroBatch } from "../scheduler/micro-batch.js";
import type { Sequence } from "../scheduler/sequence.js";
import type { SpanAnswer } from "../wire/decode-result.js";

const MICRO = 1e-6;

/** What the stages took for a step. */
export interface StepTimings {
  readonly timings: readonly rhone.v1.StageTiming.$Properties[];
  /** From sending the step to its result. */
  readonly ranMs: number;
}

/**
 * The spans of the sequences that are traced: each waits, is prefilled and decodes, again after an eviction or a lost
 * pipeline. It observes; nothing depends on it, and without a traced sequence it does nothing.
 */
export class SequenceTraces {
  readonly #traces = new Map<Sequence, SequenceTrace>();

  /** `span`: the sequence's, which is ended with it. */
  begin(sequence: Sequence, span: TraceSpan): void {
    this.#traces.set(sequence, new SequenceTrace(sequence, span));
  }

  /** A step is sent. */
  sent({ opens }: MicroBatch): void {
    if (this.#traces.size === 0) return;
    for (const trace of this.#traces.values()) trace.look();
    for (const { sequence } of opens) this.#traces.get(sequence)?.admitted();
  }

  /** A step's result is back. */
  returned(answers: readonly SpanAnswer[], step: StepTimings): void {
    if (this.#traces.size === 0) return;
    for (const answer of answers) this.#traces.get(answer.span.sequence)?.stepped(answer, step);
  }

  /** The pipeline is lost. */
  lost(reason: RhoneError): void {
    for (const trace of this.#traces.values()) trace.lost(reason);
  }

  ended(sequence: Sequence, finish: Finish): void {
    this.#traces.get(sequence)?.ended(finish);
    this.#traces.delete(sequence);
  }

  /** Another coordinator goes on with it. */
  dropped(sequence: Sequence, reason: Error): void {
    this.#traces.get(sequence)?.dropped(reason);
    this.#traces.delete(sequence);
  }

  /** Others go on with all of them. */
  close(reason: Error): void {
    for (const sequence of [...this.#traces.keys()]) this.dropped(sequence, reason);
  }
}

type Part = "wait" | "prefill" | "decode";

class SequenceTrace {
  readonly #sequence: Sequence;
  readonly #span: TraceSpan;
  #part: Part = "wait";
  #partSpan: TraceSpan;
  #work = new PartWork();

  constructor(sequence: Sequence, span: TraceSpan) {
    this.#sequence = sequence;
    this.#span = span;
    this.#partSpan = span.child("wait");
  }

  /** Looks whether it was evicted by the step that is about to be sent. */
  look(): void {
    if (this.#part === "wait" || this.#sequence.phase !== "waiting") return;
    this.#evicted();
    this.#begin("wait");
  }

  admitted(): void {
    if (this.#part !== "wait") this.#evicted(); // for no longer than the scheduler decided
    this.#begin("prefill");
    this.#partSpan.set({ "rhone.cached_positions": this.#sequence.prefillStart });
  }

  stepped({ span, tokens }: SpanAnswer, step: StepTimings): void {
    if (this.#part === "wait") return; // evicted while the step was under way
    this.#work.add(span.count, step);
    this.#work.tokens += tokens.length;
    this.#work.drafts += span.drafts.length;
    if (tokens.length > 0 && this.#part === "prefill") this.#begin("decode");
  }

  lost({ code }: RhoneError): void {
    this.#span.event("pipeline lost", { "error.type": code, "rhone.generated": this.#sequence.generated });
    if (this.#part !== "wait") this.#begin("wait");
  }

  ended(finish: Finish): void {
    this.#endPart();
    this.#span.set({ "rhone.finish_reason": finish.reason });
    if (finish.reason === "error") this.#span.fail(finish);
    this.#span.end();
  }

  dropped(reason: Error): void {
    this.#endPart();
    this.#span.event("left to another coordinator", { "error.type": toRhoneError(reason).code });
    this.#span.end();
  }

  #evicted(): void {
    this.#span.event("evicted", { "rhone.generated": this.#sequence.generated });
  }

  #begin(part: Part): void {
    this.#endPart();
    this.#part = part;
    this.#partSpan = this.#span.child(part);
    this.#work = new PartWork();
  }

  #endPart(): void {
    if (this.#part !== "wait") this.#partSpan.set(this.#work.attributes());
    this.#partSpan.end();
  }
}

const toMicroseconds = (seconds: number): number => Math.round(seconds / MICRO) / 1e6;

/** The steps of a part. They carry other sequences' rows too: a stage's time is the whole step's. */
class PartWork {
  tokens = 0;
  drafts = 0;
  #steps = 0;
  #rows = 0;
  #hopSeconds = 0;
  readonly #computeSeconds: number[] = [];
  readonly #queuedSeconds: number[] = [];

  add(rows: number, { timings, ranMs }: StepTimings): void {
    this.#steps++;
    this.#rows += rows;
    let accounted = 0;
    for (const { stage, computeUs, queuedUs, overheadUs } of timings) {
      const place = stage ?? 0;
      const [compute, queued] = [(computeUs ?? 0) * MICRO, (queuedUs ?? 0) * MICRO];
      this.#computeSeconds[place] = (this.#computeSeconds[place] ?? 0) + compute;
      this.#queuedSeconds[place] = (this.#queuedSeconds[place] ?? 0) + queued;
      accounted += compute + queued + (overheadUs ?? 0) * MICRO;
    }
    this.#hopSeconds += Math.max(0, ranMs / 1000 - accounted);
  }

  attributes(): SpanAttributes {
    return {
      "rhone.steps": this.#steps,
      "rhone.rows": this.#rows,
      "rhone.tokens": this.tokens,
      ...(this.drafts > 0 && { "rhone.drafts": this.drafts }),
      "rhone.stages.compute_s": this.#computeSeconds.map(toMicroseconds),
      "rhone.stages.queued_s": this.#queuedSeconds.map(toMicroseconds),
      "rhone.hops_s": toMicroseconds(this.#hopSeconds),
    };
  }
}
