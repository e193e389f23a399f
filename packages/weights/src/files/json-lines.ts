import { appendFile, readFile } from "node:fs/promises";
import { diskError } from "./disk-error.js";

/**
 * The values of a file with one JSON value a line, which processes append to: none when there is no file. A line that
 * a lost process left half written is skipped.
 */
export async function readJsonLines(path: string): Promise<readonly unknown[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as unknown];
    } catch {
      return [];
    }
  });
}

/**
 * Appends in one write, so that lines of several processes don't mix, and first ends a line that a lost process left.
 * Throws DISK_FULL.
 */
export async function appendJsonLines(path: string, values: readonly unknown[]): Promise<void> {
  const lines = values.map((value) => `\n${JSON.stringify(value)}`).join("");
  await appendFile(path, lines, { mode: 0o600 }).catch((cause) => {
    throw diskError(cause, path);
  });
}
