import { parentPort, workerData } from "node:worker_threads";
import { GrammarEngine } from "../engine/grammar-engine.js";
import type { LocalPosition } from "../engine/local-position.js";
import { placeOfThread } from "./compute-timer.js";
import { limitWasmMemory } from "./memory-limit.js";
import { CELLS, type FromThread, type ThreadData, type ToThread, unpackVocabulary } from "./messages.js";

// The thread of one grammar: compiles it, then answers which tokens may follow in the texts under it.

interface OpenPosition {
  readonly position: LocalPosition;
  readonly cells: Int32Array;
}

const { vocabulary, grammar, memoryBytes } = workerData as ThreadData;
const isExhausted = limitWasmMemory(memoryBytes);
const engine = new GrammarEngine(unpackVocabulary(vocabulary));
const positions = new Map<number, OpenPosition>();
const tell = (message: FromThread): void => parentPort?.postMessage(message);

async function compile(): Promise<void> {
  await engine.load();
  tell({ kind: "loaded", place: placeOfThread() });
  const position = await engine.start(grammar);
  tell({ kind: "compiled", shortest: position.shortest });
  position.close();
}

async function obey(message: ToThread): Promise<void> {
  switch (message.kind) {
    case "start": {
      const { cells } = message;
      const position = await engine.start(grammar, cells.subarray(CELLS.words));
      positions.set(message.position, { position, cells });
      return answer({ position, cells });
    }
    case "accept": {
      const open = positions.get(message.position);
      if (open === undefined) return;
      accept(open, message.tokens);
      return answer(open);
    }
    case "close":
      positions.get(message.position)?.position.close();
      positions.delete(message.position);
      return;
    case "settle":
      return tell({ kind: "settled", settle: message.settle });
  }
}

function accept({ position, cells }: OpenPosition, tokens: readonly number[]): void {
  if (cells[CELLS.refused] !== 0) return;
  const refused = tokens.find((token) => !position.takes(token));
  if (refused !== undefined) cells[CELLS.refused] = refused + 1;
}

/** Writes which tokens may come next, then wakes the thread that waits for them. */
function answer({ position, cells }: OpenPosition): void {
  if (cells[CELLS.refused] === 0) position.allowed();
  Atomics.add(cells, CELLS.turn, 1);
  Atomics.notify(cells, CELLS.turn);
}

function refuse(): void {
  const problem = isExhausted()
    ? `The grammar is too costly: it takes more than ${Math.round(memoryBytes / 2 ** 20)} MiB.`
    : "The engine does not accept the grammar.";
  tell({ kind: "refused", problem, isCostly: isExhausted() });
}

let line = compile();
line.catch(refuse);
parentPort?.on("message", (message: ToThread) => {
  line = line.then(() => obey(message));
  line.catch(refuse);
});
