import { Worker } from "node:worker_threads";
import { RhoneError } from "@rhone/common";
import { checkEbnf } from "../ebnf/check-ebnf.js";
import type { CheckAnswer, CheckRequest } from "./checker-thread.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";

/** Verdicts that are remembered. */
const KEPT_VERDICTS = 1024;

export interface GrammarCheckerOptions {
  /** Called before the first check. */
  readonly vocabulary: () => GrammarVocabulary;
  /** Longest time for compiling a grammar and writing its first tokens. */
  readonly timeoutMs: number;
}

/** Tries out grammars in a thread of its own, which it stops when one takes too long. */
export class GrammarChecker {
  readonly #options: GrammarCheckerOptions;
  readonly #verdicts = new Map<string, Promise<string | null>>();
  #vocabulary: GrammarVocabulary | undefined;
  #thread: Worker | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #next = 0;

  constructor(options: GrammarCheckerOptions) {
    this.#options = options;
  }

  /** Throws INVALID_REQUEST with the reason for a grammar that shard-workers could not enforce. */
  async check(grammar: string): Promise<void> {
    checkEbnf(grammar);
    const problem = await this.#verdict(grammar);
    if (problem !== null) throw new RhoneError("INVALID_REQUEST", problem);
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }

  #verdict(grammar: string): Promise<string | null> {
    const known = this.#verdicts.get(grammar);
    if (known !== undefined) return known;
    const verdict = this.#queue.then(() => this.#try(grammar));
    this.#queue = verdict.catch(() => {});
    this.#verdicts.set(grammar, verdict);
    verdict.catch(() => this.#verdicts.delete(grammar));
    const [oldest] = this.#verdicts.keys();
    if (this.#verdicts.size > KEPT_VERDICTS && oldest !== undefined) this.#verdicts.delete(oldest);
    return verdict;
  }

  async #try(grammar: string): Promise<string | null> {
    const { timeoutMs } = this.#options;
    const thread = this.#open();
    const id = this.#next++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`is too costly: it takes more than ${timeoutMs} ms to prepare`), timeoutMs);
    });
    const answered = answerOf(thread, id);
    thread.postMessage({ id, grammar } satisfies CheckRequest);
    const first = await Promise.race([answered, late.then((problem) => ({ problem, failed: true }))]);
    clearTimeout(timer);
    if (first.failed) {
      this.#thread = undefined;
      await thread.terminate();
    }
    return first.problem;
  }

  #open(): Worker {
    this.#vocabulary ??= this.#options.vocabulary();
    this.#thread ??= new Worker(new URL("./checker-thread.js", import.meta.url), {
      workerData: this.#vocabulary,
      // Keeps the library's complaints out of this process's output.
      stdout: true,
      stderr: true,
    });
    this.#thread.unref();
    return this.#thread;
  }
}

interface Answer {
  readonly problem: string | null;
  /** Whether the thread can no longer be used. */
  readonly failed: boolean;
}

function answerOf(thread: Worker, id: number): Promise<Answer> {
  return new Promise((resolve) => {
    const settle = (answer: Answer): void => {
      thread.off("message", hear);
      thread.off("error", fail);
      resolve(answer);
    };
    const hear = (answer: CheckAnswer): void => {
      if (answer.id === id) settle({ problem: answer.problem, failed: answer.problem !== null });
    };
    const fail = (): void => settle({ problem: "is not a grammar that the engine accepts", failed: true });
    thread.on("message", hear);
    thread.on("error", fail);
  });
}
