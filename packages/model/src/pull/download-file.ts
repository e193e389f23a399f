import { rename } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError } from "@rhone/common/rhone-error";
import { type DownloadRequest, pullCancelled, tryDownload } from "./download-attempt.js";
import { PartialFile } from "./partial-file.js";
import { type ExpectedFile, verifyFile } from "./verify-file.js";

const BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;

/**
 * Fetches `url` into `path`: resumes an earlier download, and tries again after a lost or stalled connection, 429 and
 * 5xx. Throws DOWNLOAD_FAILED, MODEL_NOT_FOUND (404), CHECKSUM_MISMATCH (which removes the partial file), DISK_FULL,
 * CANCELLED.
 */
export async function downloadFile(request: DownloadRequest): Promise<void> {
  const partial = await PartialFile.open(request.path);
  try {
    const remote = await downloadAll(request, partial);
    await partial.complete();
    await finish(request, partial, remote);
  } catch (error) {
    await partial.suspend();
    if (partial.bytes === 0 || (error instanceof RhoneError && error.code === "CHECKSUM_MISMATCH"))
      await partial.remove();
    throw error;
  }
}

async function finish(request: DownloadRequest, partial: PartialFile, remote: ExpectedFile): Promise<void> {
  const expected = {
    bytes: request.expected.bytes ?? remote.bytes,
    sha256: request.expected.sha256 ?? remote.sha256,
  };
  await verifyFile(partial.path, expected, request.onProgress);
  await rename(partial.path, request.path);
  await partial.forgetEtag();
}

async function downloadAll(request: DownloadRequest, partial: PartialFile): Promise<ExpectedFile> {
  let fruitless = 0;
  for (;;) {
    const before = partial.bytes;
    const attempt = await tryDownload(request, partial);
    if (attempt.kind === "complete") return attempt.remote;
    fruitless = partial.bytes > before ? 0 : fruitless + 1;
    if (fruitless >= request.attempts) {
      throw new RhoneError(
        "DOWNLOAD_FAILED",
        `${request.url} could not be fetched: ${attempt.reason}. ${whatIsKept(partial.bytes)}`,
      );
    }
    const pauseMs = Math.min((request.backoffMs ?? BACKOFF_MS) * 2 ** Math.max(0, fruitless - 1), MAX_BACKOFF_MS);
    await pause(Math.max(pauseMs, Math.min(attempt.retryAfterMs ?? 0, MAX_BACKOFF_MS)), request);
  }
}

const whatIsKept = (bytes: number): string =>
  bytes === 0
    ? "Check the network, or set HF_ENDPOINT to a mirror of huggingface.co."
    : `${bytes} bytes are kept; pull again to continue from there.`;

async function pause(ms: number, request: DownloadRequest): Promise<void> {
  await sleep(ms, undefined, request.signal && { signal: request.signal }).catch(() => {
    throw pullCancelled(request);
  });
}
