import { FairWaiters, RhoneError, unlessAborted } from "@rhone/common";
import type { GrammarLimits } from "./grammar-limits.js";
import type { GrammarThread } from "./grammar-thread.js";
import { HeldGrammar } from "./held-grammar.js";
import type { PackedVocabulary } from "./messages.js";
import { ThreadShares } from "./thread-shares.js";

export interface HeldGrammarsOptions {
  readonly vocabulary: PackedVocabulary;
  readonly limits: GrammarLimits;
  /** How long a thread is kept after its last text, for the next that has the same grammar, in milliseconds. */
  readonly keptMs: number;
}

/** What a text needs. */
export interface TextGrammars {
  /** Owners take turns, and share the threads; "" = clients without keys. */
  readonly owner: string;
  readonly grammars: readonly string[];
  /** It has tokens already. It waits as long as it takes: its client has seen them. */
  readonly hasBegun: boolean;
}

/** A grammar in use by a text. */
export interface GrammarUse {
  readonly thread: GrammarThread;
  /** To be called once. */
  readonly release: () => void;
}

/** A text that waits. */
interface Claim extends TextGrammars {
  /** Set when it starts. */
  held: readonly HeldGrammar[];
}

/**
 * The threads of the grammars of all texts that are being generated. Texts wait until all their threads are free at
 * once, so that none waits with a thread that another waits for. The grammars of one text after another are compiled.
 */
export class HeldGrammars {
  readonly #options: HeldGrammarsOptions;
  readonly #held = new Map<string, HeldGrammar>();
  readonly #waiting: FairWaiters<Claim>;
  #isCompiling = false;

  constructor(options: HeldGrammarsOptions) {
    this.#options = options;
    const { threads } = options.limits;
    const advice = `try again, or raise --grammar-threads (${threads})`;
    const busy = (why: string) => new RhoneError("GRAMMARS_BUSY", `${why} for a grammar thread; ${advice}.`);
    this.#waiting = new FairWaiters({ busy });
  }

  /**
   * Waits for the text's turn and for the compilation of its grammars; the uses are in their order. Throws as
   * `GrammarThread.compiled`, GRAMMARS_BUSY after `waitMs`, and `signal`'s reason.
   */
  async use(text: TextGrammars, signal: AbortSignal): Promise<readonly GrammarUse[]> {
    const { owner } = text;
    const claim: Claim = { ...text, held: [] };
    const withinMs = text.hasBegun ? Number.POSITIVE_INFINITY : this.#options.limits.waitMs;
    const turn = this.#waiting.wait({ owner, item: claim, withinMs, signal });
    this.#advance();
    await turn;
    const uses = claim.held.map((held) => ({ thread: held.thread, release: () => this.#release(claim, held) }));
    try {
      await unlessAborted(Promise.all(uses.map(({ thread }) => thread.compiled)), signal);
      return uses;
    } catch (error) {
      for (const { release } of uses) release();
      throw error;
    }
  }

  /** Ends every thread; those who wait get SHUTTING_DOWN. */
  close(): void {
    this.#waiting.refuseAll(new RhoneError("SHUTTING_DOWN", "The threads of the grammars are ended."));
    for (const held of [...this.#held.values()]) held.end();
  }

  /** Starts all texts that may start now. */
  #advance(): void {
    let hasStarted = true;
    while (hasStarted) {
      const shares = new ThreadShares(this.#options.limits.threads - this.#inUse().length);
      hasStarted = this.#waiting.next((claim) => this.#mayStart(claim, shares) && this.#start(claim));
    }
  }

  #mayStart({ owner, grammars }: Claim, shares: ThreadShares): boolean {
    const needed = [...new Set(grammars)].map((grammar) => this.#held.get(grammar));
    return shares.mayStart({
      owner,
      held: this.#inUse().filter((held) => held.isUsedBy(owner)).length,
      added: needed.filter((held) => held?.isUsedBy(owner) !== true).length,
      taken: needed.filter((held) => held?.isInUse !== true).length,
      isHeldBack: this.#isCompiling && needed.includes(undefined),
    });
  }

  #start(claim: Claim): true {
    const compiles = claim.grammars.some((grammar) => !this.#held.has(grammar));
    claim.held = claim.grammars.map((grammar) => {
      const held = this.#held.get(grammar) ?? this.#open(grammar, claim);
      held.use(claim.owner);
      return held;
    });
    if (compiles) void this.#compile(claim.held);
    return true;
  }

  #open(grammar: string, { grammars }: Claim): HeldGrammar {
    const { vocabulary, limits, keptMs } = this.#options;
    if (this.#held.size >= limits.threads) this.#endIdle(grammars);
    const onEnd = (): void => this.#forget(grammar, held);
    const held = new HeldGrammar({ grammar, vocabulary, limits, keptMs, onEnd });
    this.#held.set(grammar, held);
    return held;
  }

  async #compile(all: readonly HeldGrammar[]): Promise<void> {
    this.#isCompiling = true;
    await Promise.allSettled(all.map(({ thread }) => thread.compiled));
    this.#isCompiling = false;
    this.#advance();
  }

  #inUse(): readonly HeldGrammar[] {
    return [...this.#held.values()].filter(({ isInUse }) => isInUse);
  }

  /** Ends a thread that no text uses, and whose grammar is none of `needed`. */
  #endIdle(needed: readonly string[]): void {
    const idle = [...this.#held].find(([grammar, held]) => !held.isInUse && !needed.includes(grammar));
    idle?.[1].end();
  }

  #release({ owner }: Claim, held: HeldGrammar): void {
    held.release(owner);
    this.#advance();
  }

  /** Later, as a thread may end while a text is chosen. */
  #forget(grammar: string, held: HeldGrammar): void {
    if (this.#held.get(grammar) === held) this.#held.delete(grammar);
    queueMicrotask(() => this.#advance());
  }
}
