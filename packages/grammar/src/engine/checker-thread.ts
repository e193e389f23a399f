import { parentPort, workerData } from "node:worker_threads";
import { RhoneError } from "@rhone/common";
import { GrammarEngine } from "./grammar-engine.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";

/** Tokens of the trial text that shows what a grammar costs. */
const WALK = 48;

export interface CheckRequest {
  readonly id: number;
  readonly grammar: string;
}

export interface CheckAnswer {
  readonly id: number;
  /** null when the grammar is accepted. */
  readonly problem: string | null;
}

const vocabulary = workerData as GrammarVocabulary;
const engine = new GrammarEngine(vocabulary);

/** Compiles the grammar and writes a text under it, taking the middle one of the allowed tokens each time. */
async function check(grammar: string): Promise<string | null> {
  try {
    const matcher = await engine.match({ grammar });
    const logits = new Float32Array(vocabulary.size);
    for (let step = 0; step < WALK; step++) {
      logits.fill(0);
      matcher.mask(logits);
      const open = Array.from(logits.keys()).filter((token) => logits[token] === 0);
      const token = open[open.length >> 1];
      if (token === undefined || vocabulary.endTokens.includes(token)) break;
      matcher.accept(token);
    }
    matcher.close();
    return null;
  } catch (error) {
    return error instanceof RhoneError ? error.message : "is not a grammar that the engine accepts";
  }
}

parentPort?.on("message", ({ id, grammar }: CheckRequest) => {
  void check(grammar).then((problem) => parentPort?.postMessage({ id, problem } satisfies CheckAnswer));
});
