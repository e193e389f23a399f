import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { RhoneError } from "@rhone/common/rhone-error";
import type { PullProgress } from "./pull-options.js";

/** Size and checksum that a file must have; undefined ones are not checked. */
export interface ExpectedFile {
  readonly bytes: number | undefined;
  readonly sha256: string | undefined;
}

/** Reads the file back from disk. Throws CHECKSUM_MISMATCH with both sizes or both checksums; the file stays. */
export async function verifyFile(
  path: string,
  expected: ExpectedFile,
  onProgress?: (progress: PullProgress) => void,
): Promise<void> {
  const { size } = await stat(path);
  if (expected.bytes !== undefined && size !== expected.bytes) {
    throw new RhoneError(
      "CHECKSUM_MISMATCH",
      `${path} has ${size} bytes, but should have ${expected.bytes}; pull it again.`,
    );
  }
  if (expected.sha256 === undefined) return;
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk);
    bytes += chunk.length;
    onProgress?.({ phase: "verify", bytes, totalBytes: size });
  }
  const sha256 = hash.digest("hex");
  if (sha256 === expected.sha256) return;
  throw new RhoneError(
    "CHECKSUM_MISMATCH",
    `${path} has the SHA-256 ${sha256}, but should have ${expected.sha256}; it was damaged in transit: pull it again.`,
  );
}
