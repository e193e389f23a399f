import type { GenerationJob } from "@rhone/common";
import type { KvShape, PipelineTimes } from "@rhone/planner";
import { admit } from "./admission.js";
import { PrefillBudget, type TargetItl } from "./budget/prefill-budget.js";
import { StepCosts, type StepTimes } from "./budget/step-costs.js";
import { TUNING } from "./budget/tuning.js";
import { Speculation } from "./drafts/speculation.js";
import { chooseGroupCount } from "./groups.js";
import { countLanes, type LaneCounts } from "./lane-counts.js";
import { type MicroBatch, MicroBatchBuilder, type SpanOutcome } from "./micro-batch.js";
import { HeldLinks } from "./pages/held-links.js";
import type { PageCounts } from "./pages/kv-pages.js";
import { WaitingQueue } from "./queues.js";
import { RunningSet } from "./running-set.js";
import { Sequence } from "./sequence.js";

/** A pipeline's capacity and speed, for the time of one epoch. */
export interface PipelineShape {
  readonly stages: number;
  readonly pages: number;
  /** How long each stage takes, in order; null when a worker could not measure it. */
  readonly stepTimes: PipelineTimes | null;
  /** Rows that the workers' kernels compute at once. */
  readonly rowBlock: number;
}

export interface SchedulerOptions {
  readonly shape: KvShape;
  /** Most sequences that run at a time. */
  readonly maxSequences: number;
  readonly targetItl: TargetItl;
  /** Most drafts per sequence and step; 0 = no speculation. */
  readonly maxDrafts: number;
}

/** What a request that arrives now would meet; all 0 without a pipeline. */
export interface Workload {
  /** Rows of prompts that are to be computed. */
  readonly rows: number;
  /** Milliseconds of such a row. */
  readonly rowMs: number;
  /** Milliseconds of a token of a sequence that decodes alone, and of one beside all that may run. */
  readonly aloneMs: number;
  readonly fullMs: number;
  /** Milliseconds until a running sequence leaves its place to another; 0 while there are places. */
  readonly placeMs: number;
}

const NOTHING: Workload = { rows: 0, rowMs: 0, aloneMs: 0, fullMs: 0, placeMs: 0 };

/** State that lives as long as an epoch. */
interface EpochState {
  readonly stages: number;
  /** Whether decode rows may be sent before the tokens that they hold are known. */
  readonly goesAhead: boolean;
  readonly running: RunningSet;
  readonly costs: StepCosts;
  readonly budget: PrefillBudget;
  /** Micro-batches that were sent and have not returned. */
  framesInFlight: number;
}

/** Sequences that ran when their pipeline was lost and have had no token since. */
export interface Interrupted {
  readonly count: number;
  /** Unix milliseconds at which the first of their requests arrived, by its gateway's clock; null: there is none. */
  readonly oldestAtMs: number | null;
}

/**
 * A sequence is ended when this many pipelines in a row were lost between its opening and its first token after that.
 * From the second one on it was the only sequence of which that is true.
 */
export const MOST_LOSSES = 6;

const NO_PAGES: PageCounts = { total: 0, free: 0, cached: 0 };

/**
 * Decides what runs next: `decide` makes a micro-batch, `complete` takes its result in. Deterministic: no I/O, no
 * clock; it is told what steps take. It hands out pages, keeps every stage busy, and lets the rows of long prompts
 * share steps with decoding sequences.
 *
 * It cannot deadlock: the running sequence of the least rank may evict all others, and the pages hold at least one
 * whole sequence, so that one always advances and ends.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #speculation: Speculation;
  readonly #waiting = new WaitingQueue();
  /** Of the texts in the prefix cache. */
  readonly links = new HeldLinks();
  #epoch: EpochState | null = null;
  #arrivals = 0;
  /** Of earlier epochs. */
  #earlierEvictions = 0;
  #completed = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#speculation = new Speculation({ maxDrafts: options.maxDrafts, contextLength: options.shape.contextLength });
  }

  get running(): number {
    return this.#epoch?.running.size ?? 0;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get lanes(): LaneCounts {
    return countLanes(this.#epoch?.running ?? [], this.#waiting);
  }

  get interrupted(): Interrupted {
    let [count, oldestAtMs]: [number, number | null] = [0, null];
    for (const sequences of [this.#epoch?.running ?? [], this.#waiting]) {
      for (const { isInterrupted, job } of sequences) {
        if (!isInterrupted) continue;
        count++;
        oldestAtMs = Math.min(oldestAtMs ?? job.arrivedAtMs, job.arrivedAtMs);
      }
    }
    return { count, oldestAtMs };
  }

  /** How often a sequence was evicted so that others get its pages or its place. */
  get evictions(): number {
    return this.#earlierEvictions + (this.#epoch?.running.evictions ?? 0);
  }

  get pages(): PageCounts {
    return this.#epoch?.running.pages.counts ?? NO_PAGES;
  }

  /** `answerTokens`: what an answer is expected to have. */
  workload(answerTokens: number): Workload {
    if (this.#epoch === null) return NOTHING;
    const { running, costs, stages } = this.#epoch;
    const { maxSequences, shape } = this.#options;
    let rows = running.prefilling.sum(({ prefillEnd, sentEnd }) => Math.max(0, prefillEnd - sentEnd));
    for (const { lacks } of this.#waiting) rows += lacks;
    const fullMs = costs.shortestCycle(maxSequences, stages);
    return {
      rows,
      rowMs: costs.slowest(shape.maxRows) / shape.maxRows,
      aloneMs: costs.shortestCycle(1, stages),
      fullMs,
      placeMs: running.size < maxSequences ? 0 : fullMs * running.soonestEnd(answerTokens),
    };
  }

  /** Pages that are neither free nor cached while nothing runs; anything but 0 is a broken invariant. */
  get leakedPages(): number {
    if (this.running > 0) return 0;
    const { total, free, cached } = this.pages;
    return total - free - cached;
  }

  /** A pipeline is ready: every sequence is prefilled again as its turn comes. */
  resume({ stages, pages, stepTimes, rowBlock }: PipelineShape): void {
    const { shape, targetItl, maxDrafts } = this.#options;
    const costs = new StepCosts(stepTimes, rowBlock);
    // The stage that draws a token must be the one that embeds it, and drafts follow a known token.
    const goesAhead = stages === 1 && maxDrafts === 0;
    const onWaiting = (sequence: Sequence): void => this.add(sequence);
    this.#epoch = {
      stages,
      goesAhead,
      running: new RunningSet({ shape, pages, stages, goesAhead, onWaiting, links: this.links }),
      costs,
      budget: new PrefillBudget({ target: targetItl, costs, stages }),
      framesInFlight: 0,
    };
  }

  /**
   * The pipeline is lost with all its pages: running sequences wait again, with the tokens they have. Returns those
   * that must end, because MOST_LOSSES pipelines failed when they began.
   */
  suspend({ hasFailed } = { hasFailed: true }): readonly Sequence[] {
    this.#earlierEvictions = this.evictions;
    this.#epoch?.running.close({ hasFailed });
    this.#epoch = null;
    this.links.clear();
    // Also those evicted before, whose last spans were still in flight: nothing returns any more.
    for (const sequence of this.#waiting) {
      sequence.loseSpans();
      sequence.expect(sequence.prefillEnd);
    }
    return [...this.#waiting].filter(({ losses }) => losses >= MOST_LOSSES);
  }

  /** Makes the next sequence in order of arrival. `generated`: its job's tokens so far. `add` queues it. */
  arrive(job: GenerationJob, generated: readonly number[]): Sequence {
    return new Sequence({ job, generated, arrival: this.#arrivals++ });
  }

  add(sequence: Sequence): void {
    sequence.expect(this.#epoch?.running.pages.lacking(sequence) ?? sequence.prefillEnd);
    this.#waiting.add(sequence);
  }

  /** The running sequence that the stages know by this id; undefined when it has ended meanwhile. */
  opened(wireId: number): Sequence | undefined {
    return this.#epoch?.running.wireIds.find(wireId);
  }

  /** The last stage has the grammar of a running sequence: spans of it may draw. */
  prepared(sequence: Sequence): void {
    this.#epoch?.running.prepared(sequence);
  }

  /** Forgets a sequence and frees its pages; results still in flight are ignored when they return. */
  end(sequence: Sequence): void {
    if (sequence.phase === "waiting") this.#waiting.remove(sequence);
    else if (sequence.phase !== "ended") this.#epoch?.running.release(sequence);
    sequence.end();
  }

  /** The next micro-batch, or null when nothing can or need be sent. */
  decide(): MicroBatch | null {
    const epoch = this.#epoch;
    if (epoch === null) return null;
    const builder = new MicroBatchBuilder(this.#options.shape, epoch.running);
    const { maxSequences } = this.#options;
    if (admit({ waiting: this.#waiting, running: epoch.running, maxSequences }, builder)) this.#regroup(epoch);
    const group = epoch.running.groups.next({ ahead: epoch.goesAhead && epoch.framesInFlight <= epoch.stages });
    if (group !== null) this.#addDecodeRows(epoch, builder, group);
    this.#addPrefillRows(epoch, builder);
    return this.#issue(epoch, builder, group);
  }

  /** The oldest micro-batch in flight has returned. `outcomes`: of its sequences that have not ended meanwhile. */
  complete(batch: MicroBatch, outcomes: readonly SpanOutcome[], times: StepTimes): void {
    const epoch = this.#epoch;
    if (epoch === null) return;
    epoch.framesInFlight--;
    if (++this.#completed % TUNING.regroupEvery === 0) this.#regroup(epoch);
    if (batch.group !== null) epoch.running.groups.returned(batch.group);
    for (const { sequence } of batch.spans) sequence.receive();
    for (const outcome of outcomes) {
      if (outcome.ended) this.end(outcome.span.sequence);
      else if (outcome.tokens.length > 0) this.#advance(epoch, outcome);
    }
    epoch.costs.observe(batch.rows, times);
  }

  /**
   * A sequence that was evicted meanwhile keeps its tokens too: they were computed before its pages were overwritten.
   */
  #advance({ running }: EpochState, { span: { sequence, drafts }, tokens }: SpanOutcome): void {
    sequence.append(tokens, this.#arrivals);
    this.#speculation.learn(sequence, tokens.length - 1, drafts.length);
    this.#waiting.charge(sequence, tokens.length);
    running.drew(sequence);
  }

  #issue(epoch: EpochState, builder: MicroBatchBuilder, group: number | null): MicroBatch | null {
    const { groups, wireIds } = epoch.running;
    // Closes travel with the next rows; alone only when nothing is in flight that they could wait for.
    const closesAlone = epoch.framesInFlight === 0 && wireIds.hasClosing;
    if (builder.isEmpty && !closesAlone) return null;
    const batch = builder.finish(wireIds.takeClosing(), group);
    epoch.framesInFlight++;
    if (batch.group !== null) groups.sent(batch.group);
    return batch;
  }

  #regroup({ stages, goesAhead, running, costs }: EpochState): void {
    const { groups, size } = running;
    groups.use(chooseGroupCount({ sequences: size, stages, goesAhead, costs, current: groups.used }));
  }

  #addDecodeRows({ running, costs }: EpochState, builder: MicroBatchBuilder, group: number): void {
    const { groups, pages } = running;
    const ready = [...groups.ready(group)];
    const drafts = this.#speculation.choose(ready, { groups: groups.used, costs });
    // When pages may run out the least rank goes first, so that no sequence of this micro-batch is ever the one to
    // evict.
    if (pages.available < ready.length) ready.sort((a, b) => a.rank - b.rank);
    for (const sequence of ready) {
      if (builder.room === 0) return;
      if (sequence.phase !== "decoding") continue; // evicted by one before it
      // A row that may turn out to be behind the end evicts nobody.
      if (!sequence.knowsNext && pages.missing(sequence, sequence.sentEnd + 1) > pages.available) continue;
      const added = running.grow(sequence, sequence.sentEnd + 1, builder);
      if (added === null) {
        running.evict(sequence);
        continue;
      }
      builder.addDecodeRow(sequence, added, drafts.get(sequence) ?? []);
      running.sent(sequence, 1);
    }
  }

  #addPrefillRows(epoch: EpochState, builder: MicroBatchBuilder): void {
    const { running, framesInFlight } = epoch;
    if (running.prefilling.size === 0) return;
    const step = { decodeRows: builder.rows, room: builder.room, framesInFlight };
    let budget = epoch.budget.rows(step, running.prefillLoad);
    for (const sequence of running.prefilling) {
      if (budget === 0) return;
      if (sequence.phase !== "prefilling") continue; // evicted by one before it
      if (!builder.mayOpen(sequence)) continue;
      const count = running.affordableRows(sequence, Math.min(budget, builder.roomFor(sequence)));
      const pages = count === 0 ? null : running.grow(sequence, sequence.sentEnd + count, builder);
      if (pages === null) continue;
      builder.addChunk(sequence, count, pages);
      running.sent(sequence, count);
      budget -= count;
    }
  }
}
