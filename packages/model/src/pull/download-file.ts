import { rename } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError } from "@rhone/common";
import { openRemote, type RemoteFile } from "./open-remote.js";
import { PartialFile } from "./partial-file.js";
import type { PullOptions } from "./pull-options.js";
import { StallTimer } from "./stall-timer.js";
import { type ExpectedFile, verifyFile } from "./verify-file.js";

export interface DownloadRequest extends Omit<PullOptions, "modelsDir" | "endpoint"> {
  readonly url: string;
  /** The final name; `.partial` is added while it is incomplete. */
  readonly path: string;
  readonly expected: ExpectedFile;
  /** Tries in a row that bring no byte before giving up. */
  readonly attempts: number;
}

const STALL_MS = 30_000;
const BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;

/** What one try came to. `wait` before the next one, if the server asked for it. */
type Attempt =
  | { readonly kind: "complete"; readonly remote: ExpectedFile }
  | { readonly kind: "failed"; readonly reason: string; readonly retryAfterMs?: number | undefined };

/**
 * Fetches `url` into `path`, resuming what an earlier call left, trying again after cuts, stalls, 429 and 5xx.
 * Throws DOWNLOAD_FAILED, MODEL_NOT_FOUND (404), CHECKSUM_MISMATCH (the partial file is then removed), DISK_FULL, CANCELLED.
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
    const attempt = await tryOnce(request, partial);
    if (attempt.kind === "complete") return attempt.remote;
    fruitless = partial.bytes > before ? 0 : fruitless + 1;
    if (fruitless >= request.attempts) {
      throw new RhoneError(
        "DOWNLOAD_FAILED",
        `${request.url} could not be fetched: ${attempt.reason}. ${partial.bytes} bytes are kept; pull again to go on from there.`,
      );
    }
    const pauseMs = Math.min((request.backoffMs ?? BACKOFF_MS) * 2 ** Math.max(0, fruitless - 1), MAX_BACKOFF_MS);
    await pause(Math.max(pauseMs, Math.min(attempt.retryAfterMs ?? 0, MAX_BACKOFF_MS)), request);
  }
}

async function tryOnce(request: DownloadRequest, partial: PartialFile): Promise<Attempt> {
  const timer = new StallTimer(request.stallMs ?? STALL_MS, request.signal);
  try {
    const remote = await openRemote(request.url, {
      start: partial.resumeFrom,
      token: request.token,
      signal: timer.signal,
    });
    return await readAnswer(request, partial, remote, timer);
  } catch (error) {
    if (request.signal?.aborted) throw cancelled(request);
    if (error instanceof RhoneError) throw error;
    return { kind: "failed", reason: timer.stalled ? `nothing arrived for ${timer.stallMs} ms` : describe(error) };
  } finally {
    timer.stop();
  }
}

async function readAnswer(
  request: DownloadRequest,
  partial: PartialFile,
  remote: RemoteFile,
  timer: StallTimer,
): Promise<Attempt> {
  if (remote.status === 416) return afterUnsatisfiableRange(partial, remote);
  if (remote.status !== 200 && remote.status !== 206) return refuse(request, remote);
  const continues = remote.status === 206 && remote.start === partial.bytes && partial.belongsTo(remote.etag);
  if (remote.status === 206 && !continues) {
    await partial.restart(undefined);
    return { kind: "failed", reason: "the file changed on the server since the first part was fetched" };
  }
  if (partial.bytes === 0 || !continues) await partial.restart(remote.etag);
  if (remote.totalBytes !== undefined) await partial.checkSpace(remote.totalBytes);
  const totalBytes = remote.totalBytes ?? request.expected.bytes;
  for await (const chunk of remote.body ?? []) {
    timer.refresh();
    await partial.append(chunk);
    request.onProgress?.({ phase: "download", bytes: partial.bytes, totalBytes });
  }
  if (remote.totalBytes !== undefined && partial.bytes < remote.totalBytes) {
    return { kind: "failed", reason: `the connection ended after ${partial.bytes} of ${remote.totalBytes} bytes` };
  }
  return { kind: "complete", remote: { bytes: remote.totalBytes, sha256: remote.sha256 } };
}

/** The server has nothing after our last byte: either that was all, or the file became shorter. */
async function afterUnsatisfiableRange(partial: PartialFile, remote: RemoteFile): Promise<Attempt> {
  const isAll = remote.totalBytes === partial.bytes && partial.bytes > 0;
  if (isAll) return { kind: "complete", remote: { bytes: remote.totalBytes, sha256: remote.sha256 } };
  await partial.restart(undefined);
  return { kind: "failed", reason: "the server has no bytes where the first part ended (HTTP 416)" };
}

async function refuse(request: DownloadRequest, remote: RemoteFile): Promise<Attempt> {
  await remote.body?.cancel();
  const { status } = remote;
  if (status === 404) {
    throw new RhoneError(
      "MODEL_NOT_FOUND",
      `${request.url} does not exist (HTTP 404); check the repository and the file's name.`,
    );
  }
  if (status === 401 || status === 403) {
    const advice =
      request.token === undefined
        ? "set HF_TOKEN to an access token, and accept the model's licence on its page if it asks for that"
        : "the token in HF_TOKEN is not valid for it, or the model's licence has not been accepted on its page";
    throw new RhoneError("DOWNLOAD_FAILED", `${request.url} needs permission (HTTP ${status}): ${advice}.`);
  }
  return { kind: "failed", reason: `the server answered HTTP ${status}`, retryAfterMs: remote.retryAfterMs };
}

async function pause(ms: number, request: DownloadRequest): Promise<void> {
  await sleep(ms, undefined, request.signal && { signal: request.signal }).catch(() => {
    throw cancelled(request);
  });
}

const cancelled = ({ path }: DownloadRequest): RhoneError =>
  new RhoneError("CANCELLED", `The pull of ${path} was cancelled; pull again to go on from where it stopped.`);

/** fetch hides the reason ("fetch failed") in its cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
