import type { FileHandle } from "node:fs/promises";
import { RhoneError } from "@rhone/common/rhone-error";
import type { TensorInfo } from "./tensor-info.js";

/** Linux moves at most 2 GiB less a page per read. */
const MAX_READ_BYTES = 1 << 30;

/**
 * Reads one tensor's bytes from `handle`, which is open on the file of `info`. With `into`, a buffer of the caller's of
 * at least `info.bytes` bytes, the result is the part of it that was filled. Throws GGUF_TRUNCATED when the file has
 * become shorter, INTERNAL when `into` is too small.
 */
export async function readTensorBytes(
  handle: FileHandle,
  info: Pick<TensorInfo, "name" | "offset" | "bytes">,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const target = into === undefined ? new Uint8Array(info.bytes) : into.subarray(0, info.bytes);
  if (target.length < info.bytes) {
    throw new RhoneError("INTERNAL", `${info.name} has ${info.bytes} bytes, but the buffer only ${target.length}.`);
  }
  let done = 0;
  while (done < info.bytes) {
    const want = Math.min(MAX_READ_BYTES, info.bytes - done);
    const { bytesRead } = await handle.read(target, done, want, info.offset + done);
    if (bytesRead === 0) {
      throw new RhoneError(
        "GGUF_TRUNCATED",
        `The model file ends inside ${info.name}, at byte ${info.offset + done}; fetch it again.`,
      );
    }
    done += bytesRead;
  }
  return target;
}
