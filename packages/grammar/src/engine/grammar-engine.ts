import { RhoneError } from "@rhone/common";
import { shortestText } from "../ebnf/shortest-text.js";
import { ClosingTokens } from "./closing-tokens.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";
import { type StartedGrammar, TokenMatcher } from "./token-matcher.js";
import { type CompiledGrammar, type GrammarCompiler, loadXGrammar, type XGrammar } from "./xgrammar.js";

export interface MatcherOptions {
  /** EBNF with a rule `root`. */
  readonly grammar: string;
  /** The grammar holds only for a text whose first token is this one, which is no part of it; null: for every text. */
  readonly trigger?: number | null;
  /** The grammar of texts that begin with another token; null: those are free. */
  readonly otherwise?: string | null;
}

interface Compiled {
  readonly compiled: CompiledGrammar;
  /** Bytes of its shortest text. */
  readonly shortest: number;
}

/** Compiled grammars that are kept: a few MiB each for 32,000 tokens. */
const KEPT = 32;

/** Compiles grammars for one vocabulary and keeps the latest. */
export class GrammarEngine {
  readonly #vocabulary: GrammarVocabulary;
  readonly #closing: ClosingTokens;
  readonly #compiled = new Map<string, Compiled>();
  #loaded: Promise<{ readonly library: XGrammar; readonly compiler: GrammarCompiler }> | undefined;

  constructor(vocabulary: GrammarVocabulary) {
    this.#vocabulary = vocabulary;
    this.#closing = new ClosingTokens(vocabulary);
  }

  /** Starts a text. Throws INVALID_REQUEST for a grammar that the engine does not take: check it with GrammarChecker first. */
  async match({ grammar, trigger = null, otherwise = null }: MatcherOptions): Promise<TokenMatcher> {
    const first = await this.#start(grammar);
    const other = otherwise === null ? undefined : await this.#start(otherwise);
    const [vocabulary, closing] = [this.#vocabulary, this.#closing];
    return new TokenMatcher({ grammar: first, otherwise: other, vocabulary, closing, trigger });
  }

  async #start(grammar: string): Promise<StartedGrammar> {
    const { library } = await this.#load();
    const { compiled, shortest } = await this.#compile(grammar);
    return { matcher: await library.GrammarMatcher.createGrammarMatcher(compiled), shortest };
  }

  async #compile(grammar: string): Promise<Compiled> {
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
    const made = { compiled, shortest: shortestText(grammar) };
    this.#compiled.set(grammar, made);
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size > KEPT && oldest !== undefined) this.#drop(oldest);
    return made;
  }

  /** Matchers hold what they need of a compiled grammar themselves. */
  #drop(grammar: string): void {
    this.#compiled.get(grammar)?.compiled.dispose();
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
