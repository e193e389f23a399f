import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";

/** Keeps the last run's logs as NAME.log.1, so that each run begins with empty ones. */
export async function rotateLogs(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".log"));
  await Promise.all(files.map((file) => rename(join(folder, file), join(folder, `${file}.1`))));
}
