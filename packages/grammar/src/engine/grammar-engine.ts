import { RhoneError } from "@rhone/common";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";
import { TokenMatcher } from "./token-matcher.js";
import {
  type CompiledGrammar,
  type GrammarCompiler,
  type GrammarMatcher,
  loadXGrammar,
  type XGrammar,
} from "./xgrammar.js";

export interface MatcherOptions {
  /** EBNF with a rule `root`. */
  readonly grammar: string;
  /** The grammar holds only for a text whose first token is this one, which is no part of it; null: for every text. */
  readonly trigger?: number | null;
  /** The grammar of texts that begin with another token; null: those are free. */
  readonly otherwise?: string | null;
}

/** Compiled grammars that are kept: a few MiB each for 32,000 tokens. */
const KEPT = 32;

/** Compiles grammars for one vocabulary and keeps the latest. */
export class GrammarEngine {
  readonly #vocabulary: GrammarVocabulary;
  readonly #compiled = new Map<string, CompiledGrammar>();
  #loaded: Promise<{ readonly library: XGrammar; readonly compiler: GrammarCompiler }> | undefined;

  constructor(vocabulary: GrammarVocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** Starts a text. Throws INVALID_REQUEST for a grammar that the engine does not take: check it with GrammarChecker first. */
  async match({ grammar, trigger = null, otherwise = null }: MatcherOptions): Promise<TokenMatcher> {
    const { size, endTokens } = this.#vocabulary;
    const matcher = await this.#matcher(grammar);
    const other = otherwise === null ? undefined : await this.#matcher(otherwise);
    return new TokenMatcher({ matcher, otherwise: other, size, endTokens, trigger });
  }

  async #matcher(grammar: string): Promise<GrammarMatcher> {
    const { library } = await this.#load();
    return library.GrammarMatcher.createGrammarMatcher(await this.#compile(grammar));
  }

  async #compile(grammar: string): Promise<CompiledGrammar> {
    const known = this.#compiled.get(grammar);
    if (known !== undefined) {
      this.#compiled.delete(grammar);
      this.#compiled.set(grammar, known);
      return known;
    }
    const { compiler } = await this.#load();
    const compiled = await compiler.compileGrammar(grammar).catch((cause: unknown) => {
      // Nothing can be asked of an instance that aborted; sequences that use it keep what they have.
      this.#loaded = undefined;
      this.#compiled.clear();
      throw new RhoneError("INVALID_REQUEST", "is not a grammar that the engine takes", { cause });
    });
    this.#compiled.set(grammar, compiled);
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size > KEPT && oldest !== undefined) this.#drop(oldest);
    return compiled;
  }

  /** Matchers hold what they need of a compiled grammar themselves. */
  #drop(grammar: string): void {
    this.#compiled.get(grammar)?.dispose();
    this.#compiled.delete(grammar);
  }

  #load() {
    this.#loaded ??= open(this.#vocabulary);
    return this.#loaded;
  }
}

async function open({ pieces, size, endTokens }: GrammarVocabulary) {
  const library = loadXGrammar();
  // Typed as texts, but bytes pass unchanged, and pieces are often no whole characters.
  const bytes = pieces as readonly unknown[] as string[];
  const info = await library.TokenizerInfo.createTokenizerInfo(bytes, "raw", false, size, [...endTokens]);
  return { library, compiler: await library.GrammarCompiler.createGrammarCompiler(info, false) };
}
