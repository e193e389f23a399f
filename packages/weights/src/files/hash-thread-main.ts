import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { RhoneError } from "@rhone/common/rhone-error";
import { serveThread } from "@rhone/common/serve-thread";
import type { Extent } from "./hash-thread.js";

// The thread that hashes weights: gigabytes, beside a process that answers requests.

const PIECE_BYTES = 1 << 20;
const BELOW_OTHERS = 10;

await serveThread<null, Extent, string>(async () => {
  // On Linux the priority is the thread's own; elsewhere it would be the process's.
  // A process that is nicer already may not go back.
  if (process.platform === "linux" && getPriority(0) < BELOW_OTHERS) setPriority(0, BELOW_OTHERS);
  const buffer = new Uint8Array(PIECE_BYTES);
  return { obey: (extent) => hashOf(extent, buffer) };
});

function hashOf({ path, offset, bytes }: Extent, buffer: Uint8Array): string {
  const hash = createHash("sha256");
  const fd = openFile(path);
  try {
    for (let done = 0; done < bytes; ) {
      const got = readSync(fd, buffer, 0, Math.min(buffer.length, bytes - done), offset + done);
      if (got === 0) throw new RhoneError("GGUF_TRUNCATED", `${path} ends at byte ${offset + done}; fetch it again.`);
      hash.update(buffer.subarray(0, got));
      done += got;
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}

function openFile(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new RhoneError("MODEL_NOT_FOUND", `${path}: cannot be opened: ${(cause as Error).message}`, { cause });
  }
}
