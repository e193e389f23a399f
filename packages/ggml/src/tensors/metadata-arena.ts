import { RhoneError } from "@rhone/common/rhone-error";
import koffi from "koffi";
import { TENSOR_LAYOUT } from "../bindings/ggml.js";
import type { Pointer } from "../bindings/pointer.js";
import type { NativeEngine } from "../native/load-native.js";

/** One number per dimension, innermost first. */
export type Extents = readonly [number, number, number, number];

interface Layout {
  readonly type: number;
  readonly ne: Extents;
  /** Strides in bytes. */
  readonly nb: Extents;
}

/**
 * A ggml context in JavaScript memory: it holds tensors' descriptions, never their data. Since the memory is an
 * ArrayBuffer, descriptions are read and patched without a native call. Every `reset` starts a new generation, and
 * tensors of an earlier one are refused.
 */
export class MetadataArena {
  readonly context: Pointer;
  readonly #native: NativeEngine;
  readonly #owner: string;
  readonly #memory: DataView;
  readonly #base: Pointer;
  #generation = 0;
  #open = true;

  /**
   * `owner` names the arena in errors, such as "graph". `bytes`: `tensorBytes(n)` for n tensors, plus the overhead of
   * graphs.
   */
  constructor(native: NativeEngine, owner: string, bytes: number) {
    // ggml aligns its objects to 16 bytes.
    const memory = new ArrayBuffer(Math.ceil(bytes / 16) * 16);
    const base = koffi.address(memory) as Pointer;
    const context = native.ggml.init({ mem_size: memory.byteLength, mem_buffer: base, no_alloc: true });
    if (context === null)
      throw new RhoneError("OUT_OF_MEMORY", `ggml can't make a context of ${memory.byteLength} bytes.`);
    this.#native = native;
    this.#owner = owner;
    this.#memory = new DataView(memory);
    this.#base = base;
    this.context = context;
  }

  /** Bytes of the descriptions of `count` tensors. */
  static tensorBytes = (native: NativeEngine, count: number): number => count * native.ggml.tensorOverhead();

  get generation(): number {
    return this.#generation;
  }

  /** Throws GGML_FAILED unless tensors of `generation` still exist. */
  check(generation: number): void {
    if (this.#open && generation === this.#generation) return;
    const event = this.#open ? "reset" : "closed";
    throw new RhoneError(
      "GGML_FAILED",
      `A tensor of the ${this.#owner} was used after the ${this.#owner} was ${event}.`,
    );
  }

  checkOpen(): void {
    if (!this.#open) throw new RhoneError("GGML_FAILED", `The ${this.#owner} was used after it was closed.`);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Forgets every tensor. */
  reset(): void {
    this.checkOpen();
    this.#generation += 1;
    this.#native.ggml.reset(this.context);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#native.ggml.free(this.context);
  }

  readType(tensor: Pointer): number {
    return this.#memory.getInt32(this.#offset(tensor) + TENSOR_LAYOUT.type, true);
  }

  /** Elements per dimension, innermost first. */
  readNe(tensor: Pointer): Extents {
    return this.#readFour(this.#offset(tensor) + TENSOR_LAYOUT.ne);
  }

  /** Strides in bytes, innermost first. */
  readNb(tensor: Pointer): Extents {
    return this.#readFour(this.#offset(tensor) + TENSOR_LAYOUT.nb);
  }

  /** Gives a view another type and shape over the same bytes. */
  patch(tensor: Pointer, { type, ne, nb }: Layout): void {
    const start = this.#offset(tensor);
    this.#memory.setInt32(start + TENSOR_LAYOUT.type, type, true);
    for (let i = 0; i < 4; i++) {
      this.#writeInt64(start + TENSOR_LAYOUT.ne + 8 * i, ne[i] as number);
      this.#writeInt64(start + TENSOR_LAYOUT.nb + 8 * i, nb[i] as number);
    }
  }

  /** Whether the tensor has memory for its data. */
  hasData(tensor: Pointer): boolean {
    return this.dataOf(tensor) !== 0n;
  }

  /** The address of the tensor's data; 0 without memory. */
  dataOf(tensor: Pointer): Pointer {
    return this.#memory.getBigUint64(this.#offset(tensor) + TENSOR_LAYOUT.data, true) as Pointer;
  }

  setBuffer(tensor: Pointer, buffer: Pointer): void {
    this.#memory.setBigUint64(this.#offset(tensor) + TENSOR_LAYOUT.buffer, buffer, true);
  }

  #offset(tensor: Pointer): number {
    return Number(tensor - this.#base);
  }

  #readFour(at: number): Extents {
    return [this.#readInt64(at), this.#readInt64(at + 8), this.#readInt64(at + 16), this.#readInt64(at + 24)];
  }

  // Two halves of 32 bits: a BigInt per number would cost more than the native call beside it.
  #readInt64(at: number): number {
    return this.#memory.getUint32(at, true) + this.#memory.getInt32(at + 4, true) * 2 ** 32;
  }

  #writeInt64(at: number, value: number): void {
    this.#memory.setUint32(at, value >>> 0, true);
    this.#memory.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
  }
}
