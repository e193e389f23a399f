import type { PipelineTimes } from "@rhone/planner";
import { chooseGroupCount } from "./budget/choose-group-count.js";
import { PrefillBudget, type TargetItl } from "./budget/prefill-budget.js";
import { StepCosts } from "./budget/step-costs.js";
import { chooseDrafts } from "./drafts/choose-drafts.js";
import { Groups } from "./groups.js";
import { RunningSet } from "./line/running-set.js";
import { WaitingLine } from "./line/waiting-queue.js";
import { WireIds } from "./line/wire-ids.js";
import type { MicroBatch, PlannedSpan } from "./micro-batch.js";
import { MicroBatchDraft } from "./micro-batch-builder.js";
import { KvPages, type PageCounts } from "./pages/kv-pages.js";
import type { KvShape } from "./pages/window.js";
import type { Sequence } from "./sequence.js";

/** What a pipeline offers for the time of one epoch. */
export interface PipelineShape {
  readonly stages: number;
  readonly pages: number;
  /** What the stages take, or null. */
  readonly stepTimes: PipelineTimes | null;
}

export interface SchedulerOptions {
  readonly shape: KvShape;
  readonly maxSequences: number;
  readonly targetItl: TargetItl;
  /** Most drafts per sequence and step; 0 = no speculation. */
  readonly maxDrafts: number;
}

/** State that lives as long as an epoch: the stages' memory of sequences and pages. */
interface EpochState {
  readonly stages: number;
  readonly pages: KvPages;
  readonly wireIds: WireIds;
  readonly groups: Groups;
  readonly costs: StepCosts;
  readonly budget: PrefillBudget;
}

/** Steps after which the number of groups is thought over; it is also when sequences start. */
const REGROUP_EVERY = 32;

const NO_PAGES: PageCounts = { total: 0, free: 0, cached: 0 };

/**
 * Decides what runs next. Deterministic: no I/O, no clock; what steps cost is told to it. It hands out pages, keeps every
 * stage busy, and lets the rows of long prompts share steps with decoding sequences.
 *
 * It cannot deadlock: the running sequence of the least rank may evict all others, and the pages hold at least one whole
 * sequence, so that one always advances and ends.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #waiting = new WaitingLine();
  readonly #running = new RunningSet();
  #prefilling: Sequence[] = [];
  #epoch: EpochState | null = null;
  #framesInFlight = 0;
  #preemptions = 0;
  #arrivals = 0;
  #returned = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get preemptions(): number {
    return this.#preemptions;
  }

  get pages(): PageCounts {
    return this.#epoch?.pages.counts ?? NO_PAGES;
  }

  /** Pages that are neither free nor cached when nothing runs; anything but 0 is a broken invariant. */
  get leakedPages(): number {
    if (this.#running.size > 0) return 0;
    const { total, free, cached } = this.pages;
    return total - free - cached;
  }

  /** A new pipeline stands: every sequence is prefilled anew as its turn comes. */
  resume({ stages, pages, stepTimes }: PipelineShape): void {
    const costs = new StepCosts(stepTimes);
    this.#epoch = {
      stages,
      pages: new KvPages(this.#options.shape, pages),
      wireIds: new WireIds(),
      groups: new Groups(stages + 1, stages),
      costs,
      budget: new PrefillBudget(this.#options.targetItl, costs),
    };
    this.#framesInFlight = 0;
  }

  /** The pipeline is gone with all its pages: running sequences wait again, with the tokens they have. */
  suspend(): void {
    this.#epoch = null;
    for (const sequence of this.#running) this.#toWaiting(sequence);
    this.#running.clear();
    this.#prefilling = [];
    // Also those evicted before, whose last spans were still under way: nothing comes back any more.
    for (const sequence of this.#waiting) sequence.inFlight = 0;
  }

  add(sequence: Sequence): void {
    this.#arrivals = Math.max(this.#arrivals, sequence.arrival + 1);
    this.#waiting.add(sequence);
  }

  /** Forgets a sequence and frees its pages; what it has in flight comes back unheeded. */
  end(sequence: Sequence): void {
    if (sequence.phase === "waiting") this.#waiting.remove(sequence);
    else if (sequence.phase !== "ended") this.#release(sequence);
    sequence.phase = "ended";
  }

  /** The next micro-batch, or null when nothing can or need be sent. */
  decide(): MicroBatch | null {
    const epoch = this.#epoch;
    if (epoch === null) return null;
    this.#admit(epoch);
    const group = epoch.groups.next();
    const draft = new MicroBatchDraft(this.#options.shape, epoch.pages);
    if (group !== null) this.#addDecodeRows(epoch, draft, group);
    this.#addPrefillRows(epoch, draft);
    return this.#issue(epoch, draft, group);
  }

  /** A micro-batch's result is back. Call it before `advance` for its sequences. */
  returned(batch: MicroBatch): void {
    this.#framesInFlight--;
    if (this.#epoch !== null && ++this.#returned % REGROUP_EVERY === 0) this.#regroup(this.#epoch);
    if (batch.group !== null) this.#epoch?.groups.returned(batch.group);
    for (const { sequence } of batch.spans) sequence.inFlight--;
  }

  /** What a step took: milliseconds in each stage, and outside of them. */
  observe(batch: MicroBatch, stageMs: readonly number[], overheadMs: number): void {
    this.#epoch?.costs.observe(batch.rows, stageMs, overheadMs);
  }

  /** `tokens` follow what the span's sequence knows. One that was evicted meanwhile keeps them too: they were computed before. */
  advance({ sequence, drafts }: PlannedSpan, tokens: readonly number[]): void {
    for (const token of tokens) sequence.append(token);
    sequence.begunAfter ??= this.#arrivals;
    sequence.drafts.learn(tokens.length - 1, drafts.length);
    this.#waiting.charge(sequence, tokens.length);
    if (sequence.phase !== "decoding") return;
    sequence.scheduled = sequence.known - 1; // the rows of right drafts are computed, what wrong ones wrote is overwritten
    this.#epoch?.groups.markReady(sequence);
  }

  #issue(epoch: EpochState, draft: MicroBatchDraft, group: number | null): MicroBatch | null {
    // Closes ride with the next work; only when nothing is left to wait for do they travel alone.
    const closesAlone = this.#framesInFlight === 0 && epoch.wireIds.hasClosing;
    if (draft.rows === 0 && !closesAlone) return null;
    const batch = draft.finish(epoch.wireIds.takeClosing(), group);
    this.#framesInFlight++;
    if (batch.group !== null) epoch.groups.sent(batch.group);
    return batch;
  }

  /** Moves waiting sequences into the pipeline while pages for all they must prefill are there, and some to spare. */
  #admit(epoch: EpochState): void {
    let admitted = 0;
    for (let head = this.#waiting.head(); head !== undefined; head = this.#waiting.head()) {
      // Its old spans must be back, or a token could arrive while it is computed a second time.
      if (head.inFlight > 0 || !this.#makeRoom(epoch, head)) break;
      this.#start(epoch, head);
      admitted++;
    }
    if (admitted > 0) this.#regroup(epoch);
  }

  /** Whether it can start now, with what the prefix cache gives it. Interactive sequences push batch sequences out. */
  #makeRoom(epoch: EpochState, head: Sequence): boolean {
    while (this.#running.size > 0) {
      if (this.#running.size < this.#options.maxSequences) {
        epoch.pages.begin(head);
        if (this.#fits(epoch, head)) return true;
        epoch.pages.end(head);
      }
      const victim = this.#running.greatest(({ job }) => job.lane === "batch");
      if (head.job.lane === "batch" || victim === null) return false;
      this.#preempt(victim);
    }
    epoch.pages.begin(head);
    return true;
  }

  #fits({ pages }: EpochState, head: Sequence): boolean {
    const promised = this.#prefilling.reduce((sum, other) => sum + pages.needed(other), 0);
    const spare = this.#running.size; // one page for each that may need its next
    return pages.available - promised >= pages.needed(head) + spare;
  }

  #start(epoch: EpochState, sequence: Sequence): void {
    this.#waiting.start(sequence, sequence.due - sequence.scheduled);
    if (!sequence.started) sequence.cachedTokens = Math.min(sequence.scheduled, sequence.promptLength);
    sequence.started = true;
    sequence.begun = sequence.scheduled;
    this.#running.add(sequence);
    // Behind those of its lane, interactive before batch.
    const behind = this.#prefilling.findIndex(({ job }) => job.lane === "batch" && sequence.job.lane !== "batch");
    this.#prefilling.splice(behind < 0 ? this.#prefilling.length : behind, 0, sequence);
    sequence.phase = "prefilling";
    sequence.wireId = epoch.wireIds.take();
    epoch.groups.join(sequence);
  }

  #regroup({ stages, groups, costs }: EpochState): void {
    groups.use(chooseGroupCount({ sequences: this.#running.size, stages, costs, current: groups.used }));
  }

  #addDecodeRows(epoch: EpochState, draft: MicroBatchDraft, group: number): void {
    const ready = [...epoch.groups.ready(group)];
    const { maxDrafts, shape } = this.#options;
    const { groups, costs, pages } = epoch;
    const options = { most: maxDrafts, groups: groups.used, costs, contextLength: shape.contextLength };
    const drafts = chooseDrafts(ready, options);
    // When pages may run out the least rank goes first, so that nobody in the draft is ever the one to evict.
    if (pages.available < ready.length) ready.sort((a, b) => a.rank - b.rank);
    for (const sequence of ready) {
      if (draft.room === 0) return;
      if (sequence.phase !== "decoding") continue; // evicted by one before it
      const added = this.#grow(epoch, draft, { sequence, end: sequence.scheduled + 1 });
      if (added === null) {
        this.#preempt(sequence);
        continue;
      }
      epoch.groups.taken(sequence);
      const guesses = this.#affordable(epoch, draft, { sequence, drafts: drafts.get(sequence) ?? [] });
      draft.add(sequence, 1, [...added, ...guesses.pages], guesses.drafts);
    }
  }

  /** As many drafts as have room in the step and pages without evicting anybody, with the pages. */
  #affordable(
    epoch: EpochState,
    draft: MicroBatchDraft,
    { sequence, drafts }: { readonly sequence: Sequence; readonly drafts: readonly number[] },
  ): { readonly drafts: readonly number[]; readonly pages: readonly number[] } {
    const end = sequence.scheduled + 1;
    const reachable = sequence.table.capacity + epoch.pages.available * this.#options.shape.pageSize - end;
    const count = Math.min(drafts.length, draft.room - 1, reachable);
    if (count <= 0) return { drafts: [], pages: [] };
    return { drafts: drafts.slice(0, count), pages: epoch.pages.grow(sequence, end + count) };
  }

  #addPrefillRows(epoch: EpochState, draft: MicroBatchDraft): void {
    let budget = this.#prefilling.length === 0 ? 0 : this.#prefillBudget(epoch, draft);
    for (const sequence of budget > 0 ? [...this.#prefilling] : []) {
      if (budget === 0) break;
      if (sequence.phase !== "prefilling") continue; // evicted by one before it
      const count = this.#chunk(epoch, sequence, budget);
      const end = sequence.scheduled + count;
      const pages = count === 0 ? null : this.#grow(epoch, draft, { sequence, end });
      if (pages === null) continue;
      draft.add(sequence, count, pages);
      budget -= count;
      if (sequence.scheduled === sequence.due) sequence.phase = "decoding";
    }
    this.#prefilling = this.#prefilling.filter((sequence) => sequence.phase === "prefilling");
  }

  /**
   * Prompt rows that the step may carry. While sequences decode, prompts go between their steps only where a stage would
   * otherwise idle; else the decode rows would queue behind two chunks.
   */
  #prefillBudget({ stages, groups, budget }: EpochState, draft: MicroBatchDraft): number {
    const prompts = this.#prefilling.length;
    const due = this.#prefilling.reduce((rows, sequence) => rows + sequence.due - sequence.begun, 0);
    const chunk = budget.alone(stages, draft.room, due);
    const load = { sequences: this.#running.size - prompts, groups: groups.used, prompts, burst: this.#isBurst() };
    if (draft.rows > 0) return budget.beside(draft.rows, chunk, load);
    if (load.sequences > 0) return this.#framesInFlight < stages ? budget.between(chunk, load) : 0;
    return this.#framesInFlight <= stages ? chunk : 0;
  }

  /** Whether the first prompt came before any running stream had its first token. */
  #isBurst(): boolean {
    const [first] = this.#prefilling;
    if (first === undefined) return false;
    for (const { begunAfter } of this.#running) if (begunAfter !== null && begunAfter <= first.arrival) return false;
    return true;
  }

  /** How many of its positions go into the draft: what the free pages hold, or, for the least rank, whatever it wants. */
  #chunk({ pages }: EpochState, sequence: Sequence, budget: number): number {
    const wanted = Math.min(budget, sequence.due - sequence.scheduled);
    const reachable = sequence.table.capacity + pages.available * this.#options.shape.pageSize - sequence.scheduled;
    if (reachable >= wanted) return wanted;
    return this.#running.isLeastRank(sequence) ? wanted : Math.max(0, reachable);
  }

  /**
   * Pages that make positions [0, end) writable, appended to the sequence's table; null when they are not to be had.
   * Evicts sequences of greater rank, never one of the draft: what an evicted sequence has in flight is computed, by the
   * order of frames, before this draft overwrites its pages.
   */
  #grow(
    { pages }: EpochState,
    draft: MicroBatchDraft,
    { sequence, end }: { readonly sequence: Sequence; readonly end: number },
  ): readonly number[] | null {
    const missing = sequence.table.missing(end);
    while (missing > pages.available) {
      const mayGo = (other: Sequence): boolean =>
        other.rank > sequence.rank && other.table.held > 0 && !draft.has(other);
      const victim = this.#running.greatest(mayGo);
      if (victim === null) return null;
      this.#preempt(victim);
    }
    return pages.grow(sequence, end);
  }

  /** Back to the line with its tokens; its K/V is recomputed when its turn comes. */
  #preempt(sequence: Sequence): void {
    this.#preemptions++;
    this.#release(sequence);
    this.#toWaiting(sequence);
  }

  #release(sequence: Sequence): void {
    const epoch = this.#epoch;
    this.#running.delete(sequence);
    if (sequence.phase === "prefilling") this.#prefilling = this.#prefilling.filter((other) => other !== sequence);
    if (epoch === null) return;
    epoch.pages.end(sequence);
    epoch.groups.leave(sequence);
    if (sequence.opened) epoch.wireIds.close(sequence.wireId);
    else epoch.wireIds.giveUnopened(sequence.wireId);
  }

  #toWaiting(sequence: Sequence): void {
    sequence.phase = "waiting";
    sequence.wireId = -1;
    sequence.opened = false;
    sequence.forgetPages();
    this.#waiting.add(sequence);
  }
}
