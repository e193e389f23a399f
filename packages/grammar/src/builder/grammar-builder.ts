import { createHash } from "node:crypto";
import { ComputeThread, type FairLineOptions, RhoneError, SharedThread } from "@rhone/common";
import { LRUCache } from "lru-cache";
import type { GrammarVocabulary } from "../engine/grammar-vocabulary.js";
import { checkSourceSize } from "../sources/check-size.js";
import type { GrammarSource, WrittenGrammar } from "../sources/grammar-source.js";
import { isLenient, LAST_LEVEL, letThrough } from "../sources/lenient.js";
import { packVocabulary } from "../threads/messages.js";
import type { BuilderData, BuildRequest } from "./build-request.js";

export interface BuildLimits extends Pick<FairLineOptions, "most" | "withinMs"> {
  /** Longest processor time for writing a grammar, compiling it and trying it out, in milliseconds. */
  readonly timeoutMs: number;
  /** Most bytes of the engine's memory, for the vocabulary and the grammar. */
  readonly memoryBytes: number;
}

export interface GrammarBuilderOptions {
  /** Called once, before the first grammar. */
  readonly vocabulary: () => Promise<GrammarVocabulary>;
  readonly limits: BuildLimits;
}

export interface BuildOptions extends Omit<BuildRequest, "level"> {
  /** Whose request it is: those who wait take turns. */
  readonly owner: string;
}

/** What became of a source: its grammar, or why there is none. */
type Outcome = WrittenGrammar | { readonly refusal: RhoneError };

/** Characters of the outcomes that are kept. */
const KEPT_CHARACTERS = 8 * 2 ** 20;
/** About the most characters of a warning. */
const WARNING = 1024;
/** How long a cost above the limits is remembered: the machine may have been busy. */
const COSTLY_MS = 60_000;

/**
 * Writes grammars and tries them out in a thread of its own, one at a time, and remembers by content what became of
 * them.
 */
export class GrammarBuilder {
  readonly #options: GrammarBuilderOptions;
  readonly #outcomes = new LRUCache<string, Outcome>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: (outcome) =>
      256 + ("grammar" in outcome ? outcome.grammar.length + WARNING * outcome.warnings.length : 0),
  });
  readonly #running = new Map<string, Promise<WrittenGrammar>>();
  /** Present once the first grammar was asked for; there once the vocabulary is read. */
  #thread: Promise<SharedThread<BuildRequest, WrittenGrammar>> | undefined;

  constructor(options: GrammarBuilderOptions) {
    this.#options = options;
  }

  /**
   * The grammar of a source, which shard-workers can enforce, and what it lets through of schemas that are not strict.
   * Throws INVALID_REQUEST and GRAMMAR_TOO_COSTLY with the field, and GRAMMARS_BUSY.
   */
  async build({ owner, ...given }: BuildOptions): Promise<WrittenGrammar> {
    const { source, warnings } = withinSize(given.source);
    const request = { ...given, source };
    const key = createHash("sha256").update(JSON.stringify(request)).digest("base64");
    const known = this.#outcomes.get(key);
    const written = known === undefined ? await this.#once(key, owner, request) : grammarOf(known);
    return { ...written, warnings: [...warnings, ...written.warnings] };
  }

  async #once(key: string, owner: string, request: BuildRequest): Promise<WrittenGrammar> {
    const running = this.#running.get(key) ?? this.#try(key, owner, request);
    this.#running.set(key, running);
    try {
      return await running;
    } finally {
      this.#running.delete(key);
    }
  }

  async close(): Promise<void> {
    const thread = await this.#thread?.catch(() => undefined);
    await thread?.close();
  }

  async #try(key: string, owner: string, request: BuildRequest): Promise<WrittenGrammar> {
    try {
      return await this.#build(key, owner, request);
    } catch (error) {
      if (!(error instanceof RhoneError)) throw error;
      const { code, message, cause, param = request.source.param } = error;
      const refusal = new RhoneError(code, message, { cause, param });
      this.#remember(key, refusal);
      throw refusal;
    }
  }

  /** Lets more and more through of schemas that are not strict, until the grammar is cheap enough. */
  async #build(key: string, owner: string, request: BuildRequest): Promise<WrittenGrammar> {
    const limit = { ms: this.#options.limits.timeoutMs, task: "to prepare" };
    for (let level = 0; ; level++) {
      try {
        this.#thread ??= this.#open();
        const written = await (await this.#thread).ask(owner, { ...request, level }, limit);
        this.#outcomes.set(key, written, level === 0 ? {} : { ttl: COSTLY_MS });
        return written;
      } catch (error) {
        const isCostly = error instanceof RhoneError && error.code === "GRAMMAR_TOO_COSTLY";
        if (!isCostly || !isLenient(request.source) || level >= LAST_LEVEL) throw error;
      }
    }
  }

  #remember(key: string, refusal: RhoneError): void {
    if (refusal.code === "INVALID_REQUEST") this.#outcomes.set(key, { refusal });
    if (refusal.code === "GRAMMAR_TOO_COSTLY") this.#outcomes.set(key, { refusal }, { ttl: COSTLY_MS });
  }

  async #open(): Promise<SharedThread<BuildRequest, WrittenGrammar>> {
    const { vocabulary: read, limits } = this.#options;
    const vocabulary = packVocabulary(await read());
    const { memoryBytes } = limits;
    const busy = (why: string) =>
      new RhoneError("GRAMMARS_BUSY", `${why} for their grammars to be checked; try again.`);
    const open = () =>
      new ComputeThread<BuildRequest, WrittenGrammar>({
        module: new URL("./builder-thread-main.js", import.meta.url),
        data: { vocabulary, memoryBytes } satisfies BuilderData,
        failure: (why, cause) => new RhoneError("GRAMMAR_TOO_COSTLY", `is too costly: ${why}`, { cause }),
        busy: (why) =>
          new RhoneError("GRAMMARS_BUSY", `The machine is too busy to check a grammar: ${why}; try again.`),
      });
    return new SharedThread({ open, line: { ...limits, busy } });
  }
}

function grammarOf(outcome: Outcome): WrittenGrammar {
  if ("grammar" in outcome) return outcome;
  throw outcome.refusal;
}

/** A source that is too large is let through as far as it may be. Throws INVALID_REQUEST, as checkSourceSize. */
function withinSize(source: GrammarSource): ReturnType<typeof letThrough> {
  try {
    checkSourceSize(source);
    return { source, warnings: [] };
  } catch (error) {
    if (!(error instanceof RhoneError) || !isLenient(source)) throw error;
    const left = letThrough(source, error.message);
    checkSourceSize(left.source);
    return left;
  }
}
