import type { Lane } from "@rhone/common";
import type { Sequence } from "./sequence.js";

/** One API key's waiting sequences, in the order of their ranks, and the rows that it was charged for. */
interface Share {
  readonly waiting: Sequence[];
  charged: number;
}

/**
 * With more keys than this, those that wait for nothing and are charged no more than the current turn are forgotten.
 */
const MANY_KEYS = 1024;

/**
 * One lane's waiting sequences. Those that ran before go first, unless they gave way to another API key, and the ones
 * that may be what a pipeline was lost by behind the others; then the API key that was charged least, and within a key
 * first come, first served. A key that comes back counts as charged as much as the key whose turn it was last, so that
 * nobody saves up turns. Start-time fair queueing: Goyal, Vin, Cheng (SIGCOMM 1996).
 */
export class FairQueue {
  readonly #shares = new Map<string, Share>();
  readonly #evicted: Sequence[] = [];
  #size = 0;
  /** The charge of the key whose turn it was last. */
  #turn = 0;

  get size(): number {
    return this.#size;
  }

  *[Symbol.iterator](): Iterator<Sequence> {
    yield* this.#evicted;
    for (const { waiting } of this.#shares.values()) yield* waiting;
  }

  head(): Sequence | undefined {
    return this.#evicted[0] ?? this.#nextShare()?.waiting[0];
  }

  add(sequence: Sequence): void {
    const line = sequence.goesFirst ? this.#evicted : this.#shareOf(sequence.job.keyId).waiting;
    const after = line.findLastIndex((other) => goesBefore(other, sequence));
    line.splice(after + 1, 0, sequence);
    this.#size++;
  }

  remove(sequence: Sequence): void {
    const lines = [this.#evicted, this.#shares.get(sequence.job.keyId)?.waiting ?? []];
    for (const line of lines) {
      const at = line.indexOf(sequence);
      if (at < 0) continue;
      line.splice(at, 1);
      this.#size--;
    }
  }

  /** `rows` are computed for a key. */
  charge(keyId: string, rows: number): void {
    const share = this.#shares.get(keyId);
    if (share !== undefined) share.charged += rows;
  }

  /** A sequence of the key starts: keys that come back are charged at least as much as this one is now. */
  takeTurn(keyId: string): void {
    this.#turn = Math.max(this.#turn, this.#shares.get(keyId)?.charged ?? 0);
    if (this.#shares.size > MANY_KEYS) this.#forgetIdleKeys();
  }

  #shareOf(keyId: string): Share {
    const share = this.#shares.get(keyId) ?? { waiting: [], charged: 0 };
    this.#shares.set(keyId, share);
    if (share.waiting.length === 0) share.charged = Math.max(share.charged, this.#turn);
    return share;
  }

  #nextShare(): Share | undefined {
    let next: Share | undefined;
    for (const share of this.#shares.values()) {
      const [first] = share.waiting;
      if (first === undefined) continue;
      const other = next?.waiting[0];
      const earlier = other === undefined || first.rank < other.rank;
      if (next === undefined || share.charged < next.charged || (share.charged === next.charged && earlier))
        next = share;
    }
    return next;
  }

  #forgetIdleKeys(): void {
    for (const [keyId, { waiting, charged }] of this.#shares) {
      if (waiting.length === 0 && charged <= this.#turn) this.#shares.delete(keyId);
    }
  }
}

const goesBefore = (a: Sequence, b: Sequence): boolean =>
  a.losses === b.losses ? a.rank < b.rank : a.losses < b.losses;

/** Sequences that wait for pages: interactive before batch, and within a lane by fair shares of the API keys. */
export class WaitingQueue {
  readonly #lanes: Record<Lane, FairQueue> = { interactive: new FairQueue(), batch: new FairQueue() };

  get size(): number {
    return this.#lanes.interactive.size + this.#lanes.batch.size;
  }

  head(): Sequence | undefined {
    return this.#lanes.interactive.head() ?? this.#lanes.batch.head();
  }

  *[Symbol.iterator](): Iterator<Sequence> {
    yield* this.#lanes.interactive;
    yield* this.#lanes.batch;
  }

  add(sequence: Sequence): void {
    this.#laneOf(sequence).add(sequence);
  }

  remove(sequence: Sequence): void {
    this.#laneOf(sequence).remove(sequence);
  }

  /** It leaves the queue to run, and its key is charged for the `rows` that it must compute. */
  start(sequence: Sequence, rows: number): void {
    const lane = this.#laneOf(sequence);
    lane.remove(sequence);
    lane.takeTurn(sequence.job.keyId);
    lane.charge(sequence.job.keyId, rows);
  }

  /** A running sequence has drawn `tokens` more. */
  charge(sequence: Sequence, tokens: number): void {
    this.#laneOf(sequence).charge(sequence.job.keyId, tokens);
  }

  #laneOf({ job }: Sequence): FairQueue {
    return this.#lanes[job.lane];
  }
}

/**
 * Running sequences whose prompts are not computed yet: interactive before batch, and within a lane in order of
 * admission.
 */
export class PrefillQueue {
  #sequences: readonly Sequence[] = [];

  get size(): number {
    return this.#sequences.length;
  }

  get first(): Sequence | undefined {
    return this.#sequences[0];
  }

  /** A snapshot: changes of the queue during the iteration are not seen. */
  [Symbol.iterator](): Iterator<Sequence> {
    return this.#sequences.values();
  }

  add(sequence: Sequence): void {
    const behind = this.#sequences.findIndex(({ job }) => job.lane === "batch" && sequence.job.lane !== "batch");
    this.#sequences = this.#sequences.toSpliced(behind < 0 ? this.size : behind, 0, sequence);
  }

  remove(sequence: Sequence): void {
    this.#sequences = this.#sequences.filter((other) => other !== sequence);
  }

  clear(): void {
    this.#sequences = [];
  }

  /** The sum of `amount` over the queue. */
  sum(amount: (sequence: Sequence) => number): number {
    return this.#sequences.reduce((total, sequence) => total + amount(sequence), 0);
  }
}
