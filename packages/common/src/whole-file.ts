import { randomUUID } from "node:crypto";
import { link, rename, rm, writeFile } from "node:fs/promises";

// Small files that several processes read and write, for their owner alone: whoever sees one sees it whole.

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

async function withDraft(path: string, content: string, use: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${path}.${process.pid}-${randomUUID()}.draft`;
  try {
    await writeFile(draft, content, { mode: 0o600 });
    await use(draft);
  } finally {
    await rm(draft, { force: true });
  }
}
