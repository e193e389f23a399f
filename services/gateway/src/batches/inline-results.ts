import type { FileStore } from "../files/file-store.js";
import { refuseParam } from "../request-error.js";
import { ownTurn } from "../turns.js";
import type { toMistralJob } from "./batch-views.js";

const NEWLINE = 10;
const COMMA = 44;

/**
 * The JSON of a job, with the lines of its output file as `outputs`. The lines are JSON, and are sent as they are
 * read: parsing and writing 4.5 MB took 0.2 s. Throws INVALID_REQUEST for a file of more than `mostBytes`.
 */
export async function inlineResults(
  files: Pick<FileStore, "get" | "read">,
  { outputs: _, ...job }: ReturnType<typeof toMistralJob>,
  mostBytes: number,
): Promise<AsyncIterable<Buffer>> {
  const head = `${JSON.stringify(job).slice(0, -1)},"outputs":[`;
  const { output_file: id } = job;
  if (id === null) return framed(head, []);
  const { bytes } = await files.get(id);
  if (bytes > mostBytes) {
    const limit = `the results have ${bytes} bytes, and answers hold at most ${mostBytes}`;
    refuseParam("inline", `: ${limit}; fetch them from /v1/files/${id}/content.`);
  }
  return framed(head, linesOf(files, { id, bytes }));
}

async function* framed(head: string, lines: Iterable<Buffer> | AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from(head);
  yield* lines;
  yield Buffer.from("]}");
}

/**
 * The lines of a file, with commas for the line ends between them. Readers share turns of the event loop, piece by
 * piece: the disk may have the next one of a hundred at once. The file is open only while it is read.
 */
async function* linesOf(
  files: Pick<FileStore, "read">,
  { id, bytes }: { readonly id: string; readonly bytes: number },
): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const piece of await files.read(id)) {
    await ownTurn();
    left -= piece.length;
    yield withCommas(piece, left === 0);
  }
}

/** A copy. The line end of the last line stays: it is white space in JSON. */
function withCommas(piece: Buffer, isLast: boolean): Buffer {
  const copy = Buffer.from(piece);
  const end = isLast ? copy.length - 1 : copy.length;
  for (let at = copy.indexOf(NEWLINE); at >= 0 && at < end; at = copy.indexOf(NEWLINE, at + 1)) copy[at] = COMMA;
  return copy;
}
