import type { FileStore } from "../files/file-store.js";
import { readLines, type TextLine } from "../files/read-lines.js";
import type { BatchRecord } from "./batch-record.js";

/** The lines of a batch's files one after the other, numbered through. Throws NOT_FOUND. */
export async function* readInput(
  files: FileStore,
  { inputFileIds }: Pick<BatchRecord, "inputFileIds">,
  mostLineBytes: number,
): AsyncGenerator<TextLine> {
  let before = 0;
  for (const id of inputFileIds) {
    let last = 0;
    for await (const { number, text } of readLines(await files.read(id), mostLineBytes)) {
      last = number;
      yield { number: before + number, text };
    }
    before += last;
  }
}
