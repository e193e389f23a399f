import { setTimeout as sleep } from "node:timers/promises";
import { askBatch, type BatchLine } from "../chaos/asked-batch.js";
import type { Asking } from "../chaos/asked-stream.js";
import { type Dice, diceOf } from "../load/dice.js";
import { RandomPrompts } from "../load/prompts.js";
import { type Known, SoakClient, Unlike } from "./soak-client.js";
import { TASKS } from "./tasks.js";

export interface SoakLoadOptions {
  readonly asking: Asking;
  readonly known: Known;
  readonly seed: number;
  readonly clients: number;
  /** Mean pause of a client after each thing that it has done. */
  readonly pauseMs: number;
  /** Of each batch, one after another; 0 = no batches. */
  readonly batchLines: number;
}

/** Something that went otherwise than it should. */
export interface Mishap {
  /** What the client did: "stream", "batch". */
  readonly task: string;
  /** Milliseconds from the beginning on. */
  readonly atMs: number;
  readonly why: string;
}

/** Clients that do one thing after another, drawn by a seed, and batches, until they are stopped. */
export class SoakLoad {
  /** How often each thing was done, mishaps included. */
  readonly done: Record<string, number> = {};
  readonly mishaps: Mishap[] = [];
  readonly #options: SoakLoadOptions;
  readonly #startedAt = performance.now();
  readonly #stopping = new AbortController();
  readonly #done: Promise<unknown>;

  constructor(options: SoakLoadOptions) {
    this.#options = options;
    const clients = Array.from({ length: options.clients }, (_, index) => this.#repeat(diceOf(options.seed + index)));
    this.#done = Promise.all([...clients, ...(options.batchLines > 0 ? [this.#repeatBatches()] : [])]);
    this.#done.catch(() => {}); // `stop` rejects with it
  }

  /** Requests and batches so far. */
  get asked(): number {
    return Object.values(this.done).reduce((sum, times) => sum + times, 0);
  }

  /** Everything once, as the load does it over and over. Throws what goes wrong. */
  static async once({ asking, known, seed }: SoakLoadOptions): Promise<void> {
    const client = new SoakClient(asking, known, diceOf(seed));
    for (const { run } of Object.values(TASKS)) await run(client);
    for (const lines of linesByPath(known, LEAST_LINES)) await runBatch(lines, asking);
  }

  /**
   * Prompts that use as many K/V pages of `size` positions once: a worker holds the memory of a page from its first use
   * on.
   */
  static async fillPages({ asking, known }: SoakLoadOptions, pages: number, size: number): Promise<void> {
    const client = new SoakClient(asking, known, diceOf(0));
    const prompts = new RandomPrompts({ vocabSize: known.vocabSize, seed: 0 });
    const { model } = known;
    for (let filled = 0; filled < pages; filled += FILLING * PAGES_OF_PROMPT) {
      const asked = prompts.prompts(FILLING, size * PAGES_OF_PROMPT);
      const send = (prompt: readonly number[]) => client.post("/v1/completions", { model, prompt, max_tokens: 1 });
      await Promise.all(asked.map(async (prompt) => (await send(prompt)).text()));
    }
  }

  /** Resolves when all that was begun has ended. Rejects when the signal of `asking` is aborted. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  async #repeat(dice: Dice): Promise<void> {
    const client = new SoakClient(this.#options.asking, this.#options.known, dice);
    while (!this.#stopping.signal.aborted) {
      const task = DRAWN[client.roll(DRAWN.length)];
      if (task !== undefined) await this.#do(task.name, () => task.run(client));
      await this.#pause(2 * dice() * this.#options.pauseMs);
    }
  }

  /** Of each endpoint in turn: the lines of a batch have one. */
  async #repeatBatches(): Promise<void> {
    const { asking, known, batchLines, pauseMs } = this.#options;
    const batches = linesByPath(known, batchLines);
    for (let turn = 0; !this.#stopping.signal.aborted; turn++) {
      await this.#do("batch", () => runBatch(batches[turn % batches.length] ?? [], asking));
      await this.#pause(BATCH_PAUSES * pauseMs);
    }
  }

  async #do(task: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#options.asking;
    this.done[task] = (this.done[task] ?? 0) + 1;
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      const atMs = Math.round(performance.now() - this.#startedAt);
      this.mishaps.push({
        task,
        atMs,
        why: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
      });
    }
  }

  async #pause(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#options.asking.signal, this.#stopping.signal]);
    await sleep(ms, undefined, { signal }).catch(() => this.#options.asking.signal.throwIfAborted());
  }
}

/** Each as often as its share. */
const DRAWN = Object.entries(TASKS).flatMap(([name, { share, run }]) =>
  Array.from({ length: share }, () => ({ name, run })),
);

/** Prompts at once, and the pages of each. */
const FILLING = 16;
const PAGES_OF_PROMPT = 2;
const LEAST_LINES = 2;
/** Of a client, between two batches. */
const BATCH_PAUSES = 10;

function linesByPath({ questions }: Known, count: number): readonly (readonly BatchLine[])[] {
  const paths = [...new Set(questions.map(({ question }) => question.path))];
  return paths.map((path) => {
    const some = questions.filter(({ question }) => question.path === path);
    return Array.from({ length: count }, (_, index) => some[index % some.length]).flatMap((asked) =>
      asked === undefined ? [] : [{ question: asked.question, known: asked.whole }],
    );
  });
}

/** Throws for a batch whose lines are not all right. */
async function runBatch(lines: readonly BatchLine[], asking: Asking): Promise<void> {
  const story = await askBatch(lines, asking);
  if (story.kind !== "judged") throw new Unlike(`${story.kind}: ${story.why}`);
  const { lines: _, ...wrong } = story.judgement;
  if (Object.values(wrong).some(({ length }) => length > 0)) throw new Unlike(JSON.stringify(wrong));
}
