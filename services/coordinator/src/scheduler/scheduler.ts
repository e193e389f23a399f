import { Groups } from "./groups.js";
import type { MicroBatch } from "./micro-batch.js";
import { MicroBatchDraft } from "./micro-batch-draft.js";
import { PagePool } from "./page-pool.js";
import type { Sequence } from "./sequence.js";
import { type KvShape, livePages } from "./sliding-window.js";
import { WaitingLine } from "./waiting-line.js";
import { WireIds } from "./wire-ids.js";

/** What a pipeline offers for the time of one epoch. */
export interface PipelineShape {
  readonly stages: number;
  readonly pages: number;
}

/** State that lives as long as an epoch: the stages' memory of sequences and pages. */
interface EpochState {
  readonly stages: number;
  readonly pool: PagePool;
  readonly wireIds: WireIds;
  readonly groups: Groups;
}

/**
 * Decides what runs next. Deterministic: no I/O, no clock. It hands out pages, keeps every stage busy with up to
 * stages + 1 micro-batches in flight, and lets the rows of long prompts share steps with decoding sequences.
 *
 * It cannot deadlock: the running sequence of the least rank may evict all others, and the pool holds at least one whole
 * sequence, so that one always advances and ends.
 */
export class Scheduler {
  readonly #shape: KvShape;
  readonly #maxSequences: number;
  readonly #waiting = new WaitingLine();
  readonly #running = new Set<Sequence>();
  #prefilling: Sequence[] = [];
  #epoch: EpochState | null = null;
  #framesInFlight = 0;
  #preemptions = 0;

  constructor(options: { readonly shape: KvShape; readonly maxSequences: number }) {
    this.#shape = options.shape;
    this.#maxSequences = options.maxSequences;
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

  get pages(): { readonly total: number; readonly free: number } {
    return { total: this.#epoch?.pool.total ?? 0, free: this.#epoch?.pool.free ?? 0 };
  }

  /** Pages that nobody holds and that are not free, when nothing runs; anything but 0 is a broken invariant. */
  get leakedPages(): number {
    if (this.#running.size > 0 || this.#epoch === null) return 0;
    return this.#epoch.pool.total - this.#epoch.pool.free;
  }

  /** A new pipeline stands: every sequence is prefilled anew as its turn comes. */
  resume({ stages, pages }: PipelineShape): void {
    this.#epoch = { stages, pool: new PagePool(pages), wireIds: new WireIds(), groups: new Groups(stages) };
    this.#framesInFlight = 0;
  }

  /** The pipeline is gone with all its pages: running sequences wait again, with the tokens they have. */
  suspend(): void {
    this.#epoch = null;
    for (const sequence of this.#running) {
      sequence.table.clear();
      this.#toWaiting(sequence);
    }
    this.#running.clear();
    this.#prefilling = [];
    // Also those evicted before, whose last spans were still under way: nothing comes back any more.
    for (const sequence of this.#waiting) sequence.inFlight = 0;
  }

  add(sequence: Sequence): void {
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
    if (this.#framesInFlight > epoch.stages) return null;
    const group = epoch.groups.next();
    const draft = new MicroBatchDraft(this.#shape);
    if (group !== null) this.#addDecodeRows(epoch, draft, group);
    if (draft.rows > 0 || this.#mayPrefillAlone(epoch)) this.#addPrefillRows(epoch, draft);
    epoch.pool.give(draft.freed);
    return this.#issue(epoch, draft, group);
  }

  /** A micro-batch's result is back. Call it before `advance` for its sequences. */
  returned(batch: MicroBatch): void {
    this.#framesInFlight--;
    if (batch.group !== null) this.#epoch?.groups.returned(batch.group);
    for (const { sequence } of batch.spans) sequence.inFlight--;
  }

  /** `token` follows what `sequence` knows. One that was evicted meanwhile keeps it too: it was computed before. */
  advance(sequence: Sequence, token: number): void {
    sequence.append(token);
    if (sequence.phase === "decoding") this.#epoch?.groups.markReady(sequence);
  }

  #issue(epoch: EpochState, draft: MicroBatchDraft, group: number | null): MicroBatch | null {
    // Closes ride with the next work; only when nothing is left to wait for do they travel alone.
    const closesAlone = this.#framesInFlight === 0 && epoch.wireIds.hasClosing;
    if (draft.rows === 0 && !closesAlone) return null;
    const batch = draft.finish(epoch.wireIds.takeClosing(), draft.rows === 0 ? null : group);
    this.#framesInFlight++;
    if (batch.group !== null && batch.decodeRows > 0) epoch.groups.sent(batch.group);
    return batch.decodeRows > 0 ? batch : { ...batch, group: null };
  }

  /** Moves waiting sequences into the pipeline while pages for all they must prefill are there, and some to spare. */
  #admit(epoch: EpochState): void {
    let promised: number | null = null;
    for (let head = this.#waiting.head(); head !== undefined; head = this.#waiting.head()) {
      if (this.#running.size >= this.#maxSequences) return;
      // Its old spans must be back, or a token could arrive while it is computed a second time.
      if (head.inFlight > 0) return;
      const need = this.#pagesToPrefill(head);
      promised ??= this.#prefilling.reduce((sum, other) => sum + this.#pagesToPrefill(other) - other.table.held, 0);
      const spare = this.#running.size; // one page for each that may need its next
      if (this.#running.size > 0 && epoch.pool.free - promised < need + spare) return;
      this.#start(epoch, head);
      promised += need;
    }
  }

  #pagesToPrefill(sequence: Sequence): number {
    return livePages(sequence.due + 1, this.#shape);
  }

  #start(epoch: EpochState, sequence: Sequence): void {
    this.#waiting.remove(sequence);
    this.#running.add(sequence);
    this.#prefilling.push(sequence);
    sequence.phase = "prefilling";
    sequence.wireId = epoch.wireIds.take();
    epoch.groups.join(sequence);
  }

  #addDecodeRows(epoch: EpochState, draft: MicroBatchDraft, group: number): void {
    const ready = [...epoch.groups.ready(group)];
    // When pages may run out the least rank goes first, so that nobody in the draft is ever the one to evict.
    if (epoch.pool.free < ready.length) ready.sort((a, b) => a.rank - b.rank);
    for (const sequence of ready) {
      if (draft.room === 0) return;
      if (sequence.phase !== "decoding") continue; // evicted by one before it
      const pages = this.#pagesFor(epoch, draft, sequence, sequence.scheduled + 1);
      if (pages === null) {
        this.#preempt(sequence);
        continue;
      }
      epoch.groups.taken(sequence);
      draft.add(sequence, 1, pages);
    }
  }

  /**
   * Prompts fill whatever the decode rows leave of a step. While sequences decode, prompts ride alone only where a stage
   * would otherwise idle; else the decode rows would queue behind two chunks.
   */
  #mayPrefillAlone(epoch: EpochState): boolean {
    const decoding = this.#running.size > this.#prefilling.length;
    return this.#framesInFlight < (decoding ? epoch.stages : epoch.stages + 1);
  }

  #addPrefillRows(epoch: EpochState, draft: MicroBatchDraft): void {
    for (const sequence of [...this.#prefilling]) {
      if (draft.room === 0) break;
      if (sequence.phase !== "prefilling") continue; // evicted by one before it
      const count = this.#chunk(epoch, draft, sequence);
      const pages = count === 0 ? null : this.#pagesFor(epoch, draft, sequence, sequence.scheduled + count);
      if (pages === null) continue;
      draft.add(sequence, count, pages);
      if (sequence.scheduled === sequence.due) sequence.phase = "decoding";
    }
    this.#prefilling = this.#prefilling.filter((sequence) => sequence.phase === "prefilling");
  }

  /** How many of its positions go into the draft: what the free pages hold, or, for the least rank, whatever it wants. */
  #chunk(epoch: EpochState, draft: MicroBatchDraft, sequence: Sequence): number {
    const wanted = Math.min(draft.room, sequence.due - sequence.scheduled);
    const reachable = sequence.table.capacity + epoch.pool.free * this.#shape.pageSize - sequence.scheduled;
    if (reachable >= wanted) return wanted;
    return this.#isLeastRank(sequence) ? wanted : Math.max(0, reachable);
  }

  #isLeastRank(sequence: Sequence): boolean {
    for (const other of this.#running) if (other.rank < sequence.rank) return false;
    return true;
  }

  /**
   * Pages that make positions [0, end) writable, appended to the sequence's table; null when they are not to be had.
   * Evicts sequences of greater rank, never one of the draft: what an evicted sequence has in flight is computed, by the
   * order of frames, before this draft overwrites its pages.
   */
  #pagesFor(epoch: EpochState, draft: MicroBatchDraft, sequence: Sequence, end: number): readonly number[] | null {
    const missing = sequence.table.missing(end);
    while (missing > epoch.pool.free) {
      const victim = this.#victim(draft, sequence);
      if (victim === null) return null;
      this.#preempt(victim);
    }
    const pages = epoch.pool.take(missing);
    sequence.table.append(pages);
    return pages;
  }

  /** The newest of the batch lane, else the newest, among those of greater rank that hold pages. */
  #victim(draft: MicroBatchDraft, sequence: Sequence): Sequence | null {
    let victim: Sequence | null = null;
    for (const other of this.#running) {
      if (other.rank <= sequence.rank || other.table.held === 0 || draft.has(other)) continue;
      if (victim === null || other.rank > victim.rank) victim = other;
    }
    return victim;
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
    const pages = sequence.table.clear();
    if (epoch === null) return;
    epoch.pool.give(pages);
    epoch.groups.leave(sequence);
    if (sequence.opened) epoch.wireIds.close(sequence.wireId);
    else epoch.wireIds.giveUnopened(sequence.wireId);
  }

  #toWaiting(sequence: Sequence): void {
    sequence.phase = "waiting";
    sequence.wireId = -1;
    sequence.opened = false;
    sequence.scheduled = 0;
    this.#waiting.add(sequence);
  }
}
