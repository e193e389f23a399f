import koffi, { type LibraryHandle } from "koffi";

/** Stack of koffi's async calls. ggml computes part of each graph on it; koffi's default of 128 KiB would be tight. */
const ASYNC_STACK_BYTES = 1024 * 1024;
/**
 * Stack of koffi's other calls, its most; pages that are never touched take no memory. libllama splits words for some
 * vocabularies with regular expressions that recurse at each character (see LONGEST_RUN in text-cuts).
 */
const SYNC_STACK_BYTES = 16 * 1024 * 1024;

let isConfigured = false;

/**
 * Loads a native library, or with null finds what the process has, such as the C library. Every library is loaded here:
 * koffi takes its configuration only before the first one, whichever that is. Throws koffi's error.
 */
export function openLibrary(file: string | null, options: { readonly global?: boolean } = {}): LibraryHandle {
  if (!isConfigured) koffi.config({ async_stack_size: ASYNC_STACK_BYTES, sync_stack_size: SYNC_STACK_BYTES });
  isConfigured = true;
  return koffi.load(file, options);
}
