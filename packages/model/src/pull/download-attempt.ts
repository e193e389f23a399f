import { RhoneError } from "@rhone/common/rhone-error";
import { openRemote, type RemoteFile } from "./open-remote.js";
import type { PartialFile } from "./partial-file.js";
import type { PullOptions } from "./pull-options.js";
import type { ExpectedFile } from "./verify-file.js";

export interface DownloadRequest extends Omit<PullOptions, "modelsDir" | "endpoint"> {
  readonly url: string;
  /** The final name; `.partial` is added while it is incomplete. */
  readonly path: string;
  readonly expected: ExpectedFile;
  /** Consecutive tries without a single byte before giving up. */
  readonly attempts: number;
}

const STALL_MS = 30_000;

/** The outcome of one try; `retryAfterMs` when the server asked for a pause before the next. */
export type Attempt =
  | { readonly kind: "complete"; readonly remote: ExpectedFile }
  | { readonly kind: "failed"; readonly reason: string; readonly retryAfterMs?: number | undefined };

/**
 * Asks the server once and appends what arrives to `partial`. Throws what another try would not change: MODEL_NOT_FOUND
 * (404), DOWNLOAD_FAILED (401, 403), DISK_FULL, CANCELLED.
 */
export async function tryDownload(request: DownloadRequest, partial: PartialFile): Promise<Attempt> {
  const timer = new StallTimer(request.stallMs ?? STALL_MS, request.signal);
  try {
    const remote = await openRemote(request.url, {
      start: partial.resumeFrom,
      token: request.token,
      signal: timer.signal,
    });
    return await readAnswer(request, partial, { remote, timer });
  } catch (error) {
    if (request.signal?.aborted) throw pullCancelled(request);
    if (error instanceof RhoneError) throw error;
    return { kind: "failed", reason: timer.stalled ? `nothing arrived for ${timer.stallMs} ms` : describe(error) };
  } finally {
    timer.stop();
  }
}

async function readAnswer(
  request: DownloadRequest,
  partial: PartialFile,
  { remote, timer }: { readonly remote: RemoteFile; readonly timer: StallTimer },
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

/** The server has nothing after our last byte: either the file is complete, or it became shorter. */
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

export const pullCancelled = ({ path }: DownloadRequest): RhoneError =>
  new RhoneError("CANCELLED", `The pull of ${path} was cancelled; pull again to continue from where it stopped.`);

/** fetch says only "fetch failed"; the reason is its cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/**
 * Aborts `signal` when `refresh` is not called for `stallMs`, or when the outer signal aborts. Call `stop` when done.
 */
class StallTimer {
  readonly stallMs: number;
  readonly signal: AbortSignal;
  readonly #stall = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(stallMs: number, outer: AbortSignal | undefined) {
    this.stallMs = stallMs;
    this.signal = outer === undefined ? this.#stall.signal : AbortSignal.any([outer, this.#stall.signal]);
    this.#timer = setTimeout(() => this.#stall.abort(), stallMs);
  }

  /** Whether the time ran out. */
  get stalled(): boolean {
    return this.#stall.signal.aborted;
  }

  refresh(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
