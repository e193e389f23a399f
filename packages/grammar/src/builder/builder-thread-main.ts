import { parentPort, workerData } from "node:worker_threads";
import { RhoneError } from "@rhone/common";
import { GrammarEngine } from "../engine/grammar-engine.js";
import { grammarText } from "../sources/grammar-source.js";
import { behindSpace } from "../text-grammars.js";
import { placeOfThread } from "../threads/compute-timer.js";
import { limitWasmMemory } from "../threads/memory-limit.js";
import { unpackVocabulary } from "../threads/messages.js";
import type { BuildAnswer, BuilderData, BuildRequest } from "./build-messages.js";

// The thread that writes grammars and tries them out, one at a time.

/** Tokens of the trial text that shows what a grammar costs. */
const WALK = 48;

const { vocabulary, memoryBytes } = workerData as BuilderData;
const isExhausted = limitWasmMemory(memoryBytes);
const engine = new GrammarEngine(unpackVocabulary(vocabulary));
const tell = (answer: BuildAnswer): void => parentPort?.postMessage(answer);

async function build({ source, leadingSpace, isTried = true }: BuildRequest): Promise<void> {
  try {
    const text = grammarText(source);
    const grammar = leadingSpace ? behindSpace(text) : text;
    try {
      if (isTried) await walk(grammar);
    } catch {
      return tell(broken(source.param));
    }
    tell({ kind: "built", grammar });
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    const { code, message, param } = error;
    tell({ kind: "refused", code, message, param, isBroken: false });
  }
}

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
function broken(param: string): BuildAnswer {
  const refused = { kind: "refused", param, isBroken: true } as const;
  if (!isExhausted())
    return { ...refused, code: "INVALID_REQUEST", message: "is not a grammar that the engine accepts" };
  const message = `is too costly: it takes more than ${Math.round(memoryBytes / 2 ** 20)} MiB to prepare`;
  return { ...refused, code: "GRAMMAR_TOO_COSTLY", message };
}

await engine.load();
tell({ kind: "loaded", place: placeOfThread() });
parentPort?.on("message", (request: BuildRequest) => void build(request));
