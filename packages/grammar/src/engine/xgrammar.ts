import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname } from "node:path";
import type { CompiledGrammar, GrammarCompiler, GrammarMatcher, TokenizerInfo } from "@mlc-ai/web-xgrammar";

/** The used part of @mlc-ai/web-xgrammar. */
export interface XGrammar {
  readonly GrammarCompiler: typeof GrammarCompiler;
  readonly GrammarMatcher: typeof GrammarMatcher;
  readonly TokenizerInfo: typeof TokenizerInfo;
}
export type { CompiledGrammar, GrammarCompiler, GrammarMatcher };

interface CompilableModule extends Module {
  _compile(source: string, path: string): void;
}

/**
 * A new instance of the library with its own WebAssembly memory: it aborts on any mistake in its input and can't be
 * used afterwards. The package declares its CommonJS file a module, so neither `import` nor `require` can load it.
 */
export function loadXGrammar(): XGrammar {
  const path = createRequire(import.meta.url).resolve("@mlc-ai/web-xgrammar");
  const module = new Module(path) as CompilableModule;
  module.filename = path;
  module.paths = [dirname(path)];
  module._compile(readFileSync(path, "utf8"), path);
  return module.exports as XGrammar;
}
