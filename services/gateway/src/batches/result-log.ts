import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { explainFullDisk } from "../files/file-draft.js";
import { readLines } from "../files/read-lines.js";
import { addUsage, type BatchUsage, NO_USAGE } from "./batch-record.js";

/** What became of one line. */
export interface LineResult {
  /** Of the input, from 1. */
  readonly line: number;
  /** Whether it goes to the output file; else to the error file. */
  readonly ok: boolean;
  readonly usage: BatchUsage;
  /** What that file says. */
  readonly entry: unknown;
}

/**
 * Results in the order in which they came, one JSON line each. Every owner of a batch writes a log of its own, so that one that
 * was taken for dead and goes on can spoil nothing; whoever reads takes the first result of each line.
 */
export class ResultLog {
  readonly #handle: FileHandle;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #isSynced = true;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** A new log in the folder, beside those of earlier owners. */
  static async create(folder: string): Promise<ResultLog> {
    for (let number = 1; ; number++) {
      try {
        return new ResultLog(await open(join(folder, `results-${number}.jsonl`), "ax", 0o600));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  }

  /** Resolves when the system has the line: it outlives this process then, and after `sync` also the machine's power. Throws DISK_FULL. */
  append(result: LineResult): Promise<void> {
    this.#waiting.push(`${JSON.stringify(result)}\n`);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async sync(): Promise<void> {
    if (this.#isSynced) return;
    this.#isSynced = true;
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.sync();
    await this.#handle.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join("");
      this.#waiting = [];
      await this.#handle.appendFile(text).catch(explainFullDisk);
      this.#isSynced = false;
    }
  }
}

/** The first result of each line. A line that was cut by a crash is no result. */
export async function* readResults(paths: readonly string[]): AsyncGenerator<LineResult> {
  const seen = new Set<number>();
  for (const path of paths) {
    for await (const { text } of readLines(createReadStream(path), Number.POSITIVE_INFINITY)) {
      const result = parseResult(text ?? "");
      if (result === null || seen.has(result.line)) continue;
      seen.add(result.line);
      yield result;
    }
  }
}

export interface ResultSummary {
  readonly lines: ReadonlySet<number>;
  readonly completed: number;
  readonly failed: number;
  readonly usage: BatchUsage;
}

export async function summarizeResults(results: AsyncIterable<LineResult>): Promise<ResultSummary> {
  const lines = new Set<number>();
  let [completed, usage] = [0, NO_USAGE];
  for await (const result of results) {
    lines.add(result.line);
    if (result.ok) completed++;
    usage = addUsage(usage, result.usage);
  }
  return { lines, completed, failed: lines.size - completed, usage };
}

function parseResult(text: string): LineResult | null {
  try {
    return JSON.parse(text) as LineResult;
  } catch {
    return null;
  }
}
