import { readLines } from "../files/read-lines.js";
import type { LineLog } from "../storage/object-storage.js";
import { addUsage, type BatchUsage, NO_USAGE } from "./batch-record.js";

/** The result of one line. */
export interface LineResult {
  /** Its number in the input, from 1. */
  readonly line: number;
  /** true: the entry goes to the output file; false: to the error file. */
  readonly ok: boolean;
  readonly usage: BatchUsage;
  /** The line of that file. */
  readonly entry: unknown;
}

/**
 * Results in order of arrival, one JSON line each. Each owner of a batch writes a log of its own, so that an owner that
 * was presumed dead but goes on does no harm: readers take the first result of each line, in the order of the logs'
 * names. A result that was lost with its owner before `sync` is generated again under the same request id.
 */
export class ResultLog {
  readonly #log: LineLog;

  constructor(log: LineLog) {
    this.#log = log;
  }

  append(result: LineResult): Promise<void> {
    return this.#log.append(JSON.stringify(result));
  }

  sync(): Promise<void> {
    return this.#log.sync();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/** The first result of each line. Lines of a log that a crash cut short are passed over. */
export async function* readResults(logs: AsyncIterable<AsyncIterable<Buffer>>): AsyncGenerator<LineResult> {
  const seen = new Set<number>();
  for await (const log of logs) {
    for await (const { text } of readLines(log, Number.POSITIVE_INFINITY)) {
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
