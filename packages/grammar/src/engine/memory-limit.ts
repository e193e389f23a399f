interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
/** Node has it; the type is only in the library of browsers' types. */
declare const WebAssembly: { readonly Memory: { readonly prototype: WasmMemory } };

const PAGE_BYTES = 64 * 1024;

/**
 * Bounds the WebAssembly memory of this thread, for all of its life: a memory that would grow beyond `bytes` does not,
 * and the library that asked for it aborts. `resourceLimits` of a thread bound only JavaScript's heap. Returns whether
 * that has happened.
 */
export function limitWasmMemory(bytes: number): () => boolean {
  let exceeded = false;
  const memory = WebAssembly.Memory.prototype;
  const { grow } = memory;
  memory.grow = function (pages: number): number {
    if (this.buffer.byteLength + pages * PAGE_BYTES > bytes) {
      exceeded = true;
      throw new RangeError(`WebAssembly memory of more than ${bytes} bytes`);
    }
    return grow.call(this, pages);
  };
  return () => exceeded;
}
