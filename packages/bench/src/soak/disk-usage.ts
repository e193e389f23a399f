import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Bytes that files have on disk, by the folder below `root` that they are in; files of `root` itself are left out. */
export async function diskUsage(root: string): Promise<Readonly<Record<string, number>>> {
  const entries = await readdir(root, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  return Object.fromEntries(
    await Promise.all(folders.map(async ({ name }) => [name, await bytesIn(join(root, name))] as const)),
  );
}

/** Files come and go meanwhile. */
async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return bytesIn(path);
      return lstat(path).then(
        ({ blocks }) => blocks * BLOCK_BYTES,
        () => 0,
      );
    }),
  );
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** stat(2) counts blocks of this size. */
const BLOCK_BYTES = 512;
