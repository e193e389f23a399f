import { randomUUID } from "node:crypto";
import { link, rename, rm, stat, writeFile } from "node:fs/promises";

// Small files that several processes read and write, for their owner alone: a reader finds them whole.

/** A removal takes milliseconds. A process that has not ended it after this time is gone. */
const TURN_MS = 10_000;

/** Readers see the old content or the new one. */
export async function replaceFile(path: string, content: string): Promise<void> {
  await withDraft(path, content, (draft) => rename(draft, path));
}

/** False when the file exists, which stays as it is. Of several processes that create it, one does. */
export async function createFile(path: string, content: string): Promise<boolean> {
  try {
    await withDraft(path, content, (draft) => link(draft, path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Removes a file that a process has left which is gone. `isLeft` is asked while nobody else may remove it: of several
 * processes that found it left, none removes the file that another one has created since. It may still be there then.
 */
export async function removeLeft(path: string, isLeft: () => Promise<boolean>): Promise<void> {
  const turn = `${path}.turn`;
  try {
    await writeFile(turn, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if (await isOld(turn)) await rm(turn, { force: true });
    return;
  }
  try {
    const seen = await stampOf(path);
    // What is left stays until it is removed here; another file has come after its owner had removed it.
    if (seen !== null && (await isLeft()) && (await stampOf(path)) === seen) await rm(path, { force: true });
  } finally {
    await rm(turn, { force: true });
  }
}

/** Which file it is, and of which moment; null: none. Numbers of files are used again. */
const stampOf = (path: string): Promise<string | null> =>
  stat(path, { bigint: true }).then(
    ({ ino, ctimeNs }) => `${ino}-${ctimeNs}`,
    () => null,
  );

const isOld = (path: string): Promise<boolean> =>
  stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > TURN_MS,
    () => false,
  );

async function withDraft(path: string, content: string, use: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${path}.${process.pid}-${randomUUID()}.draft`;
  try {
    await writeFile(draft, content, { mode: 0o600 });
    await use(draft);
  } finally {
    await rm(draft, { force: true });
  }
}
