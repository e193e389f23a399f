import { RhoneError, unlessAborted } from "@rhone/common";
import type { GrammarLimits } from "./grammar-limits.js";
import { GrammarThread } from "./grammar-thread.js";
import type { PackedVocabulary } from "./messages.js";

export interface HeldGrammarsOptions {
  readonly vocabulary: PackedVocabulary;
  readonly limits: GrammarLimits;
  /** How long a thread is kept after its last text, for the next that has the same grammar, in milliseconds. */
  readonly keptMs: number;
}

/** A grammar in use by a text. */
export interface GrammarUse {
  readonly thread: GrammarThread;
  /** Bytes of the grammar's shortest text. */
  readonly shortest: number;
  /** To be called once. */
  readonly release: () => void;
}

const cancelled = () => new RhoneError("CANCELLED", "Nobody waits for the grammar any more.");

/** A grammar that texts use or wait for, or used a moment ago. */
class HeldGrammar {
  readonly grammar: string;
  /** Bytes of the shortest text. */
  compiled: Promise<number> = Promise.resolve(0);
  isCompiled = false;
  /** Texts that use it or wait for it. */
  users = 0;
  /** undefined until it is this grammar's turn. */
  thread: GrammarThread | undefined;
  /** Ends the thread when nobody has used it for a while. */
  timer: NodeJS.Timeout | undefined;

  constructor(grammar: string) {
    this.grammar = grammar;
  }
}

/** The threads of the grammars of all texts that are being generated. Compiles one after another. */
export class HeldGrammars {
  readonly #options: HeldGrammarsOptions;
  readonly #held = new Map<string, HeldGrammar>();
  #line: Promise<unknown> = Promise.resolve();
  #freed: () => void = () => {};

  constructor(options: HeldGrammarsOptions) {
    this.#options = options;
  }

  /** Waits for the grammar's turn and its compilation. Throws as `GrammarThread.compiled`, and `signal`'s reason. */
  async use(grammar: string, signal: AbortSignal): Promise<GrammarUse> {
    const held = this.#held.get(grammar) ?? this.#hold(grammar);
    held.users++;
    clearTimeout(held.timer);
    const release = (): void => this.#release(held);
    try {
      const shortest = await unlessAborted(held.compiled, signal);
      if (held.thread === undefined) throw cancelled();
      return { thread: held.thread, shortest, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Ends every thread. */
  close(): void {
    for (const held of [...this.#held.values()]) this.#end(held);
  }

  #hold(grammar: string): HeldGrammar {
    const held = new HeldGrammar(grammar);
    held.compiled = this.#line.then(() => this.#compile(held));
    this.#line = held.compiled.catch(() => this.#forget(held));
    this.#held.set(grammar, held);
    return held;
  }

  async #compile(held: HeldGrammar): Promise<number> {
    while (held.users > 0 && this.#threads().length >= this.#options.limits.threads && !this.#endIdle())
      await new Promise<void>((resolve) => {
        this.#freed = resolve;
      });
    if (held.users === 0) throw cancelled();
    const { vocabulary, limits } = this.#options;
    const onEnd = (): void => this.#forget(held);
    held.thread = new GrammarThread({ grammar: held.grammar, vocabulary, limits, onEnd });
    const shortest = await held.thread.compiled;
    held.isCompiled = true;
    return shortest;
  }

  #release(held: HeldGrammar): void {
    held.users--;
    if (held.users > 0) return;
    if (held.isCompiled) held.timer = setTimeout(() => this.#end(held), this.#options.keptMs).unref();
    else this.#end(held);
    this.#freed();
  }

  #threads(): readonly HeldGrammar[] {
    return [...this.#held.values()].filter(({ thread }) => thread !== undefined);
  }

  /** Ends the thread that nobody has used for longest; false when all are in use. */
  #endIdle(): boolean {
    const idle = this.#threads().find(({ users }) => users === 0);
    if (idle !== undefined) this.#end(idle);
    return idle !== undefined;
  }

  #end(held: HeldGrammar): void {
    held.thread?.end(cancelled());
    this.#forget(held);
  }

  #forget(held: HeldGrammar): void {
    clearTimeout(held.timer);
    if (this.#held.get(held.grammar) === held) this.#held.delete(held.grammar);
    this.#freed();
  }
}
