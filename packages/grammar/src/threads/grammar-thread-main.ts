import { RhoneError } from "@rhone/common/rhone-error";
import { type Served, serveThread, ThreadSpent } from "@rhone/common/serve-thread";
import { GrammarEngine } from "../engine/grammar-engine.js";
import type { LocalPosition } from "../engine/local-position.js";
import { limitWasmMemory } from "../engine/memory-limit.js";
import { CELLS, type ThreadData, type ToThread, unpackVocabulary } from "./messages.js";

// The thread of one grammar: compiles it, then answers which tokens may follow in the texts under it.

interface OpenPosition {
  readonly position: LocalPosition;
  readonly cells: Int32Array;
}

class GrammarServer implements Served<ToThread, void> {
  readonly #engine: GrammarEngine;
  readonly #grammar: string;
  readonly #positions = new Map<number, OpenPosition>();

  constructor(engine: GrammarEngine, grammar: string) {
    this.#engine = engine;
    this.#grammar = grammar;
  }

  async obey(message: ToThread): Promise<void> {
    switch (message.kind) {
      case "compile": {
        const position = await this.#engine.start(this.#grammar);
        // The first mask of a text is not to wait for it.
        position.ahead();
        position.close();
        break;
      }
      case "start": {
        const { cells } = message;
        const position = await this.#engine.start(this.#grammar, cells.subarray(CELLS.words));
        this.#positions.set(message.position, { position, cells });
        answer({ position, cells });
        break;
      }
      case "accept": {
        const open = this.#positions.get(message.position);
        if (open === undefined) break;
        accept(open, message.tokens);
        answer(open);
        break;
      }
      case "close":
        this.#positions.get(message.position)?.position.close();
        this.#positions.delete(message.position);
        break;
      case "settle":
        break;
    }
  }
}

function accept({ position, cells }: OpenPosition, tokens: readonly number[]): void {
  if (cells[CELLS.refused] !== 0) return;
  const refused = tokens.find((token) => !position.takes(token));
  if (refused !== undefined) cells[CELLS.refused] = refused + 1;
}

/** Writes which tokens may come next, then wakes the thread that waits for them. */
function answer({ position, cells }: OpenPosition): void {
  if (cells[CELLS.refused] === 0) {
    position.allowed();
    cells.set(position.ahead(), CELLS.ahead);
  }
  Atomics.add(cells, CELLS.turn, 1);
  Atomics.notify(cells, CELLS.turn);
}

await serveThread<ThreadData, ToThread, void>(async ({ vocabulary, grammar, memoryBytes }) => {
  const isExhausted = limitWasmMemory(memoryBytes);
  const engine = new GrammarEngine(unpackVocabulary(vocabulary));
  await engine.load();
  const server = new GrammarServer(engine, grammar);
  // The engine aborts on what it does not accept, and can't be used afterwards.
  const refusal = (): RhoneError => {
    if (!isExhausted()) return new RhoneError("INVALID_REQUEST", "The engine does not accept the grammar.");
    const most = Math.round(memoryBytes / 2 ** 20);
    return new RhoneError("GRAMMAR_TOO_COSTLY", `The grammar is too costly: it takes more than ${most} MiB.`);
  };
  return {
    obey: (message) =>
      server.obey(message).catch(() => {
        throw new ThreadSpent(refusal());
      }),
  };
});
