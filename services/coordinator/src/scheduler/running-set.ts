import type { KvShape } from "@rhone/planner";
import type { PrefillLoad } from "./budget/prefill-budget.js";
import { Groups } from "./groups.js";
import type { HeldLinks } from "./pages/held-links.js";
import { KvPages } from "./pages/kv-pages.js";
import { PrefillQueue } from "./queues.js";
import type { Sequence } from "./sequence.js";
import { type Claim, overShare } from "./shares.js";
import { WireIds } from "./wire-ids.js";

/**
 * The sequences that run in one epoch, and what each holds there: pages, a place in a group, an id on the wire, and,
 * until its prompt is computed, a place in the prefill queue.
 */
export class RunningSet implements Iterable<Sequence> {
  readonly pages: KvPages;
  readonly groups: Groups;
  readonly wireIds = new WireIds();
  readonly prefilling = new PrefillQueue();
  readonly #sequences = new Set<Sequence>();
  readonly #contextLength: number;
  readonly #goesAhead: boolean;
  readonly #onWaiting: (sequence: Sequence) => void;
  #evictions = 0;

  /**
   * `goesAhead`: rows may be sent before the tokens that they hold are known. `onWaiting` is called with each sequence
   * that must wait again.
   */
  constructor(options: {
    readonly shape: KvShape;
    readonly pages: number;
    readonly stages: number;
    readonly goesAhead: boolean;
    readonly onWaiting: (sequence: Sequence) => void;
    readonly links?: HeldLinks;
  }) {
    this.pages = new KvPages(options.shape, options.pages, options.links);
    this.groups = new Groups(options.stages + 1, options.stages);
    this.#contextLength = options.shape.contextLength;
    this.#goesAhead = options.goesAhead;
    this.#onWaiting = options.onWaiting;
  }

  get size(): number {
    return this.#sequences.size;
  }

  /** Evictions so far. */
  get evictions(): number {
    return this.#evictions;
  }

  [Symbol.iterator](): Iterator<Sequence> {
    return this.#sequences.values();
  }

  /** The sequence's page lease is open; the prefix cache had `cached` positions of it. */
  start(sequence: Sequence, cached: number): void {
    sequence.start(cached);
    this.#sequences.add(sequence);
    if (sequence.phase === "prefilling") this.prefilling.add(sequence);
    this.groups.join(sequence);
  }

  /** The last stage has the sequence's grammar: if the row that draws was held back, it is due. */
  prepared(sequence: Sequence): void {
    sequence.prepare();
    this.#markReady(sequence);
  }

  /** A span of the sequence's next `count` positions, drafts not counted, is in a micro-batch. */
  sent(sequence: Sequence, count: number): void {
    sequence.send(count);
    if (sequence.phase !== "prefilling") this.prefilling.remove(sequence);
    this.groups.unmarkReady(sequence);
    this.#markReady(sequence);
  }

  /** The sequence has drawn tokens. */
  drew(sequence: Sequence): void {
    if (sequence.phase !== "decoding") return; // evicted meanwhile
    this.pages.advance(sequence);
    this.#markReady(sequence);
  }

  /** Takes back everything that the sequence holds. */
  release(sequence: Sequence): void {
    this.#sequences.delete(sequence);
    this.prefilling.remove(sequence);
    this.pages.release(sequence);
    this.groups.leave(sequence);
    this.wireIds.close(sequence);
  }

  /** The sequence waits again with its tokens; its K/V is recomputed when its turn comes. */
  evict(sequence: Sequence): void {
    this.#evictions++;
    this.release(sequence);
    this.#toWaiting(sequence);
  }

  /**
   * Evicts a sequence for an interactive one: the newest of the batch lane, or one of an API key that has more than its
   * share, which then waits for its key's turn. False when none has to go.
   */
  pushOut(claim: Claim): boolean {
    const batch = this.#newestBatch();
    const victim = batch ?? overShare(this.#sequences, claim);
    if (victim === null) return false;
    if (batch === null) victim.giveWay();
    this.evict(victim);
    return true;
  }

  /**
   * The pipeline is lost with all pages: every sequence waits again. If it failed, those that the stages were told of
   * and that have not drawn since may be what it was lost by.
   */
  close({ hasFailed }: { readonly hasFailed: boolean }): void {
    for (const sequence of this.#sequences) {
      if (hasFailed && this.wireIds.isOpen(sequence) && !sequence.hasDrawn) sequence.blame();
      sequence.interrupt();
      this.#toWaiting(sequence);
    }
  }

  /**
   * Whether a waiting sequence may be opened now: one that may be what a pipeline was lost by begins apart, while no
   * other sequence begins.
   */
  mayBegin(head: Sequence): boolean {
    const beginning = [...this.#sequences].filter(({ hasDrawn }) => !hasDrawn);
    return beginning.length === 0 || [head, ...beginning].every(({ losses }) => losses === 0);
  }

  /** Tokens until the first of the running sequences ends, at least 1, when answers have `answerTokens`. */
  soonestEnd(answerTokens: number): number {
    const left = [...this.#sequences].map(({ job, generated }) => Math.min(job.maxTokens, answerTokens) - generated);
    return Math.max(1, Math.min(...left));
  }

  /** Who decodes, and which prompts are being computed. */
  get prefillLoad(): PrefillLoad {
    return {
      decoding: [...this.#sequences].filter(({ phase, mayDraw }) => phase === "decoding" && mayDraw).length,
      groups: this.groups.used,
      requests: new Set([...this.prefilling].map(({ request }) => request)).size,
      promptRows: this.prefilling.sum(({ prefillEnd, prefillStart }) => prefillEnd - prefillStart),
      burst: this.#isBurst(),
    };
  }

  /**
   * Whether the pages that a prompt needs are there, beside those of other prompts and one for each running sequence.
   */
  hasRoomFor(head: Sequence): boolean {
    const promised = this.prefilling.sum((other) => this.pages.needed(other));
    return this.pages.available - promised >= this.pages.needed(head) + this.size;
  }

  /**
   * How many of up to `budget` prompt rows have pages: as many as are available hold; the least rank may evict others.
   */
  affordableRows(sequence: Sequence, budget: number): number {
    const wanted = Math.min(budget, sequence.sendableEnd - sequence.sentEnd);
    const reachable = this.pages.reach(sequence) - sequence.sentEnd;
    if (reachable >= wanted) return wanted;
    return this.#hasLeastRank(sequence) ? wanted : Math.max(0, reachable);
  }

  /**
   * Appends the pages that make positions [0, end) writable and returns them; null when there are too few. Evicts
   * sequences of greater rank, but none that is `inUse`, in the micro-batch under construction. What an evicted
   * sequence has in flight is computed before that micro-batch overwrites its pages, because stages take frames in
   * order.
   */
  grow(sequence: Sequence, end: number, inUse: { has(sequence: Sequence): boolean }): readonly number[] | null {
    const missing = this.pages.missing(sequence, end);
    while (missing > this.pages.available) {
      const mayGo = (other: Sequence): boolean =>
        other.rank > sequence.rank && this.pages.held(other) > 0 && !inUse.has(other);
      const victim = this.#greatestRank(mayGo);
      if (victim === null) return null;
      this.evict(victim);
    }
    return this.pages.grow(sequence, end);
  }

  /**
   * The sequence's next row joins its group's next micro-batch, if its token is known, or if the pipeline goes ahead
   * and will have drawn it by then.
   */
  #markReady(sequence: Sequence): void {
    if (sequence.phase !== "decoding" || !sequence.mayDraw || sequence.job.maxTokens === 0) return;
    const isDue = sequence.knowsNext || (this.#goesAhead && sequence.drawsAfterNext(this.#contextLength));
    if (isDue) this.groups.markReady(sequence);
  }

  #isBurst(): boolean {
    const { first } = this.prefilling;
    if (first === undefined) return false;
    for (const { arrivalsAtFirstToken } of this.#sequences) {
      if (arrivalsAtFirstToken !== null && arrivalsAtFirstToken <= first.arrival) return false;
    }
    return true;
  }

  #toWaiting(sequence: Sequence): void {
    sequence.evict();
    this.#onWaiting(sequence);
  }

  #hasLeastRank(sequence: Sequence): boolean {
    for (const other of this.#sequences) if (other.rank < sequence.rank) return false;
    return true;
  }

  #newestBatch(): Sequence | null {
    return this.#greatestRank(({ job }) => job.lane === "batch");
  }

  #greatestRank(may: (sequence: Sequence) => boolean): Sequence | null {
    let greatest: Sequence | null = null;
    for (const other of this.#sequences) {
      if ((greatest === null || other.rank > greatest.rank) && may(other)) greatest = other;
    }
    return greatest;
  }
}
