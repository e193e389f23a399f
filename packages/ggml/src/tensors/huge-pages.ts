import type { NativeBackend } from "../backend/backend.js";
import type { Pointer } from "../bindings/pointer.js";
import { describeDevice } from "../native/device.js";
import { openLibrary } from "../native/open-library.js";

type Advise = (address: Pointer, bytes: number, advice: number) => number;

/** `MADV_HUGEPAGE` of Linux. */
const MADV_HUGEPAGE = 14;
const HUGE = 2n * 1024n * 1024n;
const USUAL = 4096n;

let advise: Advise | undefined;

/**
 * Asks Linux to back a new buffer with pages of 2 MiB. Every step reads all weights, and with pages of 4 KiB the
 * processor looks up addresses 512 times as often. On other systems, or when the kernel refuses, nothing changes.
 */
export function preferHugePages({ engine: { backend }, device }: NativeBackend, buffer: Pointer): void {
  if (describeDevice(backend, device).kind !== "cpu") return;
  advise ??= findAdvise();
  const first = backend.bufferGetBase(buffer);
  const end = first + BigInt(backend.bufferGetSize(buffer));
  const within = (start: bigint, size: bigint): boolean =>
    end >= start + HUGE && advise?.(start as Pointer, Number(((end - start) / size) * size), MADV_HUGEPAGE) === 0;
  // Buffers of layers follow each other in memory: a huge page may hold the end of one and the start of the next.
  if (within((first / USUAL) * USUAL, USUAL)) return;
  within(((first + HUGE - 1n) / HUGE) * HUGE, HUGE);
}

function findAdvise(): Advise {
  if (process.platform !== "linux") return () => 0;
  try {
    return openLibrary(null).func("madvise", "int", ["void *", "size_t", "int"]) as unknown as Advise;
  } catch {
    return () => 0;
  }
}
