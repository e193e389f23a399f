import type { FileStore } from "../files/file-store.js";
import type { TextLine } from "../files/read-lines.js";
import type { UnfinishedFile } from "../files/unfinished-file.js";
import { jsonInTurns } from "../write-in-turns.js";
import { isProblem, parseBatchLine } from "./batch-line.js";
import type { BatchRecord } from "./batch-record.js";
import { unrunEntry } from "./line-entry.js";
import type { LineResult } from "./result-log.js";

export interface ResultSources {
  readonly batch: BatchRecord;
  /** At most one per line. */
  readonly results: AsyncIterable<LineResult>;
  readonly input: AsyncIterable<TextLine>;
  readonly files: FileStore;
  readonly nowMs: number;
}

/**
 * Writes the output and the error file: every line of the input is in exactly one of them. Lines without a result go to
 * the error file. A file without lines is not created. A second run after a crash replaces the files of the first.
 */
export async function writeResultFiles(sources: ResultSources): Promise<Pick<BatchRecord, "counts">> {
  const { batch, files } = sources;
  const output = await files.create(batch.outputFileId ?? undefined);
  const errors = await files.create(batch.errorFileId ?? undefined);
  try {
    const done = new Set<number>();
    for await (const { line, ok, entry } of sources.results) {
      done.add(line);
      await writeEntry(ok ? output : errors, entry);
    }
    if (done.size < batch.counts.total) await writeUnrun(errors, done, sources);
  } catch (error) {
    await Promise.all([output.discard(), errors.discard()]);
    throw error;
  }
  const counts = { total: batch.counts.total, completed: output.lines, failed: errors.lines };
  await keep(output, { kind: "result", name: "output" }, sources);
  await keep(errors, { kind: "error", name: "errors" }, sources);
  return { counts };
}

async function writeUnrun(errors: UnfinishedFile, done: ReadonlySet<number>, { batch, input }: ResultSources) {
  const ending = batch.ending === null || batch.ending === "completed" ? null : batch.ending;
  for await (const read of input) {
    const { number } = read;
    if (done.has(number)) continue;
    if (ending === null) throw new Error(`Line ${number} of ${batch.id} has no result, and nothing stopped the batch`);
    const line = await parseBatchLine(read, batch);
    if (isProblem(line)) throw new Error(`Line ${number} of ${batch.id} changed after it was validated`);
    await writeEntry(errors, unrunEntry({ batchId: batch.id, line: number, customId: line.customId }, ending));
  }
}

async function writeEntry(file: UnfinishedFile, entry: unknown): Promise<void> {
  await file.write(Buffer.from(`${await jsonInTurns(entry)}\n`));
}

interface ResultFile {
  readonly kind: "result" | "error";
  readonly name: string;
}

async function keep(file: UnfinishedFile, { kind, name }: ResultFile, { batch, files, nowMs }: ResultSources) {
  if (file.bytes === 0) return file.discard();
  const createdAt = Math.floor(nowMs / 1000);
  const expiresAt = batch.outputExpiresAfterS === null ? null : createdAt + batch.outputExpiresAfterS;
  await files.commit(file, {
    filename: `${batch.id}_${name}.jsonl`,
    purpose: "batch_output",
    kind,
    createdAt,
    expiresAt,
    ...(batch.owner !== undefined && { owner: batch.owner }),
  });
}
