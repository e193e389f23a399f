import { RhoneError } from "@rhone/common/rhone-error";
import { serveThread, ThreadSpent } from "@rhone/common/serve-thread";
import { GrammarEngine } from "../engine/grammar-engine.js";
import { limitWasmMemory } from "../engine/memory-limit.js";
import type { WrittenGrammar } from "../sources/grammar-source.js";
import { writeLenient } from "../sources/lenient.js";
import { behindSpace } from "../text-grammars.js";
import { unpackVocabulary } from "../threads/messages.js";
import type { BuilderData, BuildRequest } from "./build-request.js";

// The thread that writes grammars and tries them out, one at a time.

/** Tokens of the trial text that shows what a grammar costs. */
const WALK = 48;

await serveThread<BuilderData, BuildRequest, WrittenGrammar>(async ({ vocabulary, memoryBytes }) => {
  const isExhausted = limitWasmMemory(memoryBytes);
  const engine = new GrammarEngine(unpackVocabulary(vocabulary));
  await engine.load();

  /** Writes a text under the grammar, taking the middle one of the allowed tokens each time. */
  async function walk(grammar: string): Promise<void> {
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
  }

  /** The engine aborts on what it does not accept, and can't be used afterwards. */
  function spent(param: string): ThreadSpent {
    const most = Math.round(memoryBytes / 2 ** 20);
    const refusal = isExhausted()
      ? new RhoneError("GRAMMAR_TOO_COSTLY", `is too costly: it takes more than ${most} MiB to prepare`, { param })
      : new RhoneError("INVALID_REQUEST", "is not a grammar that the engine accepts", { param });
    return new ThreadSpent(refusal);
  }

  return {
    async obey({ source, leadingSpace, level, isTried = true }) {
      const written = writeLenient(source, level);
      const grammar = leadingSpace ? behindSpace(written.grammar) : written.grammar;
      if (isTried)
        await walk(grammar).catch(() => {
          throw spent(source.param);
        });
      return { ...written, grammar };
    },
  };
});
