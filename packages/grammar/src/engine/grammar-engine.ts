import { RhoneError } from "@rhone/common/rhone-error";
import { automatonOf, type ChoiceNode } from "../ebnf/automaton.js";
import { EndFinder } from "./end-finder.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";
import { LeadingTokens, type TokenSet } from "./leading-tokens.js";
import { LocalPosition } from "./local-position.js";
import { TokenMatcher } from "./token-matcher.js";
import { type CompiledGrammar, type GrammarCompiler, loadXGrammar, type XGrammar } from "./xgrammar.js";

export interface MatcherOptions {
  /** EBNF with a rule `root`. */
  readonly grammar: string;
  /** Apply the grammar only to texts whose first token is this one, and only to what follows it; null for all texts. */
  readonly trigger?: number | null;
  /** The grammar of texts that begin with another token; null leaves them free. */
  readonly otherwise?: string | null;
}

interface Compiled {
  readonly compiled: CompiledGrammar;
  /** The grammar as texts are followed through it; worked out once, when it is needed. */
  readonly beginning: () => ChoiceNode | undefined;
}

/** Compiled grammars that are kept; each takes a few MiB for 32,000 tokens. A thread has one, or two for calls. */
const KEPT = 2;

/** Compiles grammars for one vocabulary and keeps those used last. */
export class GrammarEngine {
  readonly #vocabulary: GrammarVocabulary;
  readonly #leading: LeadingTokens;
  readonly #compiled = new Map<string, Compiled>();
  #loaded: Promise<{ readonly library: XGrammar; readonly compiler: GrammarCompiler }> | undefined;

  constructor(vocabulary: GrammarVocabulary) {
    this.#vocabulary = vocabulary;
    this.#leading = new LeadingTokens(vocabulary);
  }

  /**
   * A matcher at the beginning of a text. Throws INVALID_REQUEST for a grammar that the engine does not accept.
   */
  async match({ grammar, trigger = null, otherwise = null }: MatcherOptions): Promise<TokenMatcher> {
    const first = await this.start(grammar);
    const other = otherwise === null ? undefined : await this.start(otherwise);
    const [vocabulary, leading] = [this.#vocabulary, this.#leading];
    return new TokenMatcher({ grammar: first, otherwise: other, vocabulary, leading, trigger });
  }

  /**
   * The beginning of a text. `words`: where the position writes the allowed tokens, i32 [size / 32]. Throws as `match`.
   */
  async start(grammar: string, words?: TokenSet): Promise<LocalPosition> {
    const { library } = await this.load();
    const { compiled, beginning } = await this.#compile(grammar);
    const matcher = await library.GrammarMatcher.createGrammarMatcher(compiled);
    const finder = () => {
      const root = beginning();
      return root === undefined ? undefined : new EndFinder(root);
    };
    return new LocalPosition({ matcher, finder, vocabulary: this.#vocabulary, ...(words !== undefined && { words }) });
  }

  async #compile(grammar: string): Promise<Compiled> {
    const known = this.#compiled.get(grammar);
    if (known !== undefined) {
      this.#compiled.delete(grammar);
      this.#compiled.set(grammar, known);
      return known;
    }
    const { compiler } = await this.load();
    const compiled = await compiler.compileGrammar(grammar).catch((cause: unknown) => {
      // An instance that aborted can't be used again; running sequences keep their matchers.
      this.#loaded = undefined;
      this.#compiled.clear();
      throw new RhoneError("INVALID_REQUEST", "is not a grammar that the engine accepts", { cause });
    });
    const made = { compiled, beginning: once(() => automatonOf(grammar)) };
    this.#compiled.set(grammar, made);
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size > KEPT && oldest !== undefined) this.#drop(oldest);
    return made;
  }

  /** Matchers keep what they need of a compiled grammar, so it can go while they run. */
  #drop(grammar: string): void {
    this.#compiled.get(grammar)?.compiled.dispose();
    this.#compiled.delete(grammar);
  }

  /** Loads the library and the vocabulary, unless that is done. */
  load() {
    this.#loaded ??= open(this.#vocabulary);
    return this.#loaded;
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

async function open({ pieces, size, endTokens }: GrammarVocabulary) {
  const library = loadXGrammar();
  // Typed as strings, but bytes pass unchanged, and pieces are often not whole characters.
  const bytes = pieces as readonly unknown[] as string[];
  const info = await library.TokenizerInfo.createTokenizerInfo(bytes, "raw", false, size, [...endTokens]);
  return { library, compiler: await library.GrammarCompiler.createGrammarCompiler(info, false) };
}
