import { RhoneError } from "@rhone/common/rhone-error";
import { AHEAD_LENGTH, type Ahead } from "../engine/ahead.js";
import { type GrammarPosition, notAllowed } from "../engine/grammar-position.js";
import type { TokenSet } from "../engine/leading-tokens.js";
import type { GrammarLimits } from "./grammar-limits.js";
import { CELLS, newCells, type ToThread } from "./messages.js";

/** Share of `maskMs` that a draw waits at least, when the step before it took all of that. */
const LEAST_WAIT = 0.25;

/** The thread as its positions see it. */
export interface PositionThread {
  readonly limits: GrammarLimits;
  readonly ended: RhoneError | undefined;
  tell(message: ToThread): void;
  settle(): Promise<void>;
  end(reason: RhoneError): void;
}

export interface ThreadPositionOptions {
  readonly id: number;
  /** Number of logits. */
  readonly size: number;
  readonly onClose: () => void;
}

/**
 * A position that a grammar's thread keeps. The thread works out the tokens that may follow as soon as it hears of the
 * token before, while this thread does other things: a mask usually waits for nothing.
 */
export class ThreadPosition implements GrammarPosition {
  readonly #thread: PositionThread;
  readonly #id: number;
  readonly #cells: Int32Array;
  readonly #onClose: () => void;
  #turn = 0;
  #askedAt = 0;
  #isClosed = false;

  constructor(thread: PositionThread, { id, size, onClose }: ThreadPositionOptions) {
    this.#thread = thread;
    this.#id = id;
    this.#cells = newCells(size);
    this.#onClose = onClose;
    this.#ask();
    thread.tell({ kind: "start", position: id, cells: this.#cells });
  }

  /**
   * Blocks this thread for what is left of `maskMs` since the last token, at most, or for a quarter of it. Throws
   * GRAMMAR_TOO_COSTLY when the thread is late, which ends it, or has ended, and STAGE_FAILED when a token was not
   * allowed.
   */
  allowed(): TokenSet {
    const { limits } = this.#thread;
    const deadline = Math.max(this.#askedAt + limits.maskMs, performance.now() + limits.maskMs * LEAST_WAIT);
    for (;;) {
      if (this.#thread.ended !== undefined) throw this.#thread.ended;
      const turn = Atomics.load(this.#cells, CELLS.turn);
      if (turn === this.#turn) return this.#answered();
      if (Atomics.wait(this.#cells, CELLS.turn, turn, Math.max(0, deadline - performance.now())) !== "timed-out")
        continue;
      const problem = `The grammar is too costly: after ${limits.maskMs} ms it is not known which token may come next.`;
      this.#thread.end(new RhoneError("GRAMMAR_TOO_COSTLY", problem));
    }
  }

  ahead(): Ahead {
    return this.#cells.subarray(CELLS.ahead, CELLS.ahead + AHEAD_LENGTH);
  }

  accept(tokens: readonly number[]): void {
    this.#ask();
    this.#thread.tell({ kind: "accept", position: this.#id, tokens });
  }

  /** Resolves once the thread has read all accepted tokens. Throws as `allowed`. */
  async settle(): Promise<void> {
    await this.#thread.settle();
    this.#answered();
  }

  /** Frees the position, once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#thread.tell({ kind: "close", position: this.#id });
    this.#onClose();
  }

  #ask(): void {
    this.#turn++;
    this.#askedAt = performance.now();
  }

  #answered(): TokenSet {
    const refused = this.#cells[CELLS.refused] ?? 0;
    if (refused !== 0) throw new RhoneError("STAGE_FAILED", notAllowed(refused - 1));
    return this.#cells.subarray(CELLS.words);
  }
}
