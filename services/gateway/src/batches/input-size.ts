import type { FileStore } from "../files/file-store.js";
import type { BatchLineProblem, BatchRecord } from "./batch-record.js";

/** Lines that the files may have, blank ones included, for each request that a batch may have. */
const LINES_PER_REQUEST = 2;

/** How much the files of one batch may hold together. */
export interface InputSize {
  /** Lines with a request. */
  readonly mostLines: number;
  readonly mostBytes: number;
}

/**
 * Whether the files together are too large to be read, by their records: a job may name 100, and one of 200 MiB of
 * line breaks 100 times, which took 1.5 hours of processor time. null: they are not. Throws NOT_FOUND.
 */
export async function tooLarge(
  files: FileStore,
  { inputFileIds }: Pick<BatchRecord, "inputFileIds">,
  { mostLines, mostBytes }: InputSize,
): Promise<BatchLineProblem | null> {
  let [lines, bytes] = [0, 0];
  for (const id of inputFileIds) {
    const file = await files.get(id);
    lines += file.lines;
    bytes += file.bytes;
  }
  const most = LINES_PER_REQUEST * mostLines;
  if (lines > most) return problem("too_many_lines", `${lines} lines, blank ones included, and ${most} at most`);
  return bytes > mostBytes ? problem("input_too_large", `${bytes} bytes in its files, and ${mostBytes} at most`) : null;
}

const problem = (code: string, size: string): BatchLineProblem => ({
  code,
  message: `The input has ${size}; split it.`,
  param: null,
  line: null,
});
