import { FairLine } from "@rhone/common";
import { z } from "zod";
import { readLines } from "../files/read-lines.js";
import type { LineLog } from "../storage/object-storage.js";
import { parseJson, readStored } from "../stored-json.js";
import { jsonInTurns } from "../write-in-turns.js";
import { addUsage, type BatchUsage, batchUsageSchema, NO_USAGE } from "./batch-record.js";

/** The result of one line. */
const lineResultSchema = z.object({
  /** Absent = 1, the only version so far. */
  version: z.literal(1).exactOptional(),
  /** Its number in the input, from 1. */
  line: z.number(),
  /** true: the entry goes to the output file; false: to the error file. */
  ok: z.boolean(),
  usage: batchUsageSchema,
  /** The line of that file. */
  entry: z.unknown(),
});
export type LineResult = Readonly<z.output<typeof lineResultSchema>>;

/**
 * Results in order of arrival, one JSON line each. Each owner of a batch writes a log of its own, so that an owner that
 * was presumed dead but goes on does no harm: readers take the first result of each line, in the order of the logs'
 * names. A result that was lost with its owner before `sync` is generated again under the same request id.
 */
export class ResultLog {
  readonly #log: LineLog;
  readonly #line = new FairLine({});

  constructor(log: LineLog) {
    this.#log = log;
  }

  /** Results are written one by one: as JSON, 128 of 4,096 tokens with 20 log-probabilities take 0.8 GB. */
  append(result: LineResult): Promise<void> {
    return this.#line.run("", async () => this.#log.append(await jsonInTurns(result)));
  }

  sync(): Promise<void> {
    return this.#log.sync();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

/**
 * The first result of each line. Lines of a log that a crash cut short are passed over. Throws RECORD_UNREADABLE for a
 * result of another version, which must not be generated again.
 */
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

/** null for a line that a crash cut short, which is not JSON. */
function parseResult(text: string): LineResult | null {
  return parseJson(text) !== undefined ? readStored(lineResultSchema, text, "A result of the batch") : null;
}
