import type { Sequence } from "../sequence.js";

/** One API key's waiting sequences, by rank, and the rows that it was served. */
interface Share {
  readonly waiting: Sequence[];
  served: number;
}

/** More keys than this, and those that owe nothing are forgotten. */
const MANY_KEYS = 1024;

/**
 * One lane's waiting sequences. Those that ran before and were evicted go first; then the key that was served least, and
 * within a key first come first served. A key that comes (back) counts as served as much as the one whose turn it was last,
 * so that nobody saves up turns. Start-time fair queueing: Goyal, Vin, Cheng (SIGCOMM 1996).
 */
export class FairLine {
  readonly #shares = new Map<string, Share>();
  readonly #evicted: Sequence[] = [];
  #size = 0;
  #turn = 0;

  get size(): number {
    return this.#size;
  }

  *[Symbol.iterator](): Iterator<Sequence> {
    yield* this.#evicted;
    for (const { waiting } of this.#shares.values()) yield* waiting;
  }

  head(): Sequence | undefined {
    return this.#evicted[0] ?? this.#next()?.waiting[0];
  }

  add(sequence: Sequence): void {
    const line = sequence.started ? this.#evicted : this.#arrive(sequence.job.keyId).waiting;
    const after = line.findLastIndex((other) => other.rank < sequence.rank);
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

  /** `rows` were computed for a key. */
  charge(keyId: string, rows: number): void {
    const share = this.#shares.get(keyId);
    if (share !== undefined) share.served += rows;
  }

  /** Its turn has come: what newcomers are measured by. */
  started(keyId: string): void {
    this.#turn = Math.max(this.#turn, this.#shares.get(keyId)?.served ?? 0);
    if (this.#shares.size > MANY_KEYS) this.#forget();
  }

  #arrive(keyId: string): Share {
    const share = this.#shares.get(keyId) ?? { waiting: [], served: 0 };
    this.#shares.set(keyId, share);
    if (share.waiting.length === 0) share.served = Math.max(share.served, this.#turn);
    return share;
  }

  #next(): Share | undefined {
    let next: Share | undefined;
    for (const share of this.#shares.values()) {
      const [first] = share.waiting;
      if (first === undefined) continue;
      const other = next?.waiting[0];
      const earlier = other === undefined || first.rank < other.rank;
      if (next === undefined || share.served < next.served || (share.served === next.served && earlier)) next = share;
    }
    return next;
  }

  #forget(): void {
    for (const [keyId, { waiting, served }] of this.#shares) {
      if (waiting.length === 0 && served <= this.#turn) this.#shares.delete(keyId);
    }
  }
}
