import { createHash } from "node:crypto";
import { RhoneError } from "@rhone/common";
import { LRUCache } from "lru-cache";
import type { GrammarVocabulary } from "../engine/grammar-vocabulary.js";
import { checkSourceSize } from "../sources/check-size.js";
import { type PackedVocabulary, packVocabulary } from "../threads/messages.js";
import type { BuildRequest } from "./build-messages.js";
import { BuilderThread, type BuildLimits } from "./builder-thread.js";
import { FairLine } from "./fair-line.js";

export interface GrammarBuilderOptions {
  /** Called before the first grammar. */
  readonly vocabulary: () => GrammarVocabulary;
  readonly limits: BuildLimits;
  /** Most grammars that wait for the one in work. */
  readonly mostWaiting: number;
}

export interface BuildOptions extends BuildRequest {
  /** Whose request it is: those who wait take turns. */
  readonly owner: string;
}

/** What became of a source: its grammar, or why there is none. */
type Outcome = { readonly grammar: string } | { readonly refusal: RhoneError };

/** Characters of the outcomes that are kept. */
const KEPT_CHARACTERS = 8 * 2 ** 20;
/** How long a cost above the limits is remembered: the machine may have been busy. */
const COSTLY_MS = 60_000;
/** How long the thread waits for the next grammar before it ends and gives its memory back. */
const IDLE_MS = 30_000;

/**
 * Writes grammars and tries them out in a thread of its own, one at a time, and remembers by content what became of
 * them.
 */
export class GrammarBuilder {
  readonly #options: GrammarBuilderOptions;
  readonly #outcomes = new LRUCache<string, Outcome>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: (outcome) => 256 + ("grammar" in outcome ? outcome.grammar.length : 0),
  });
  readonly #running = new Map<string, Promise<string>>();
  readonly #line: FairLine;
  #vocabulary: PackedVocabulary | undefined;
  #thread: BuilderThread | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: GrammarBuilderOptions) {
    this.#options = options;
    this.#line = new FairLine(options.mostWaiting);
  }

  /**
   * The EBNF of a source that shard-workers can enforce. Throws INVALID_REQUEST and GRAMMAR_TOO_COSTLY with the field,
   * and GRAMMARS_BUSY.
   */
  async build({ owner, ...request }: BuildOptions): Promise<string> {
    checkSourceSize(request.source);
    const key = createHash("sha256").update(JSON.stringify(request)).digest("base64");
    const known = this.#outcomes.get(key);
    if (known !== undefined) return grammarOf(known);
    const running = this.#running.get(key) ?? this.#line.run(owner, () => this.#try(key, request));
    this.#running.set(key, running);
    try {
      return await running;
    } finally {
      this.#running.delete(key);
    }
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#thread?.end();
    this.#thread = undefined;
  }

  async #try(key: string, request: BuildRequest): Promise<string> {
    clearTimeout(this.#idle);
    const thread = this.#open();
    try {
      const grammar = await thread.build(request);
      this.#outcomes.set(key, { grammar });
      return grammar;
    } catch (error) {
      if (error instanceof RhoneError) this.#remember(key, error);
      throw error;
    } finally {
      this.#idle = setTimeout(() => this.close(), IDLE_MS).unref();
    }
  }

  #remember(key: string, refusal: RhoneError): void {
    if (refusal.code === "INVALID_REQUEST") this.#outcomes.set(key, { refusal });
    if (refusal.code === "GRAMMAR_TOO_COSTLY") this.#outcomes.set(key, { refusal }, { ttl: COSTLY_MS });
  }

  #open(): BuilderThread {
    this.#vocabulary ??= packVocabulary(this.#options.vocabulary());
    if (this.#thread === undefined || this.#thread.hasEnded)
      this.#thread = new BuilderThread(this.#vocabulary, this.#options.limits);
    return this.#thread;
  }
}

function grammarOf(outcome: Outcome): string {
  if ("grammar" in outcome) return outcome.grammar;
  throw outcome.refusal;
}
