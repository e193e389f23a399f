export { CallGrammar } from "./calls/call-grammar.js";
export { checkEbnf } from "./ebnf/check-ebnf.js";
export { GrammarChecker } from "./engine/grammar-checker.js";
export { GrammarEngine } from "./engine/grammar-engine.js";
export { type GrammarVocabulary, grammarVocabulary } from "./engine/grammar-vocabulary.js";
export type { TokenMatcher } from "./engine/token-matcher.js";
export type { JsonSchema } from "./schema/json-schema.js";
export { jsonSchemaGrammar } from "./schema/json-schema-grammar.js";
export { anyOfGrammars, behindSpace, choiceGrammar, FREE_TEXT, regexTextGrammar } from "./text-grammars.js";
