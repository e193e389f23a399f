import { RhoneError } from "@rhone/common/rhone-error";
import { native, type Pointer } from "../bindings/pointer.js";
import { type GgmlType, rowSize, typeInfo } from "../elements/ggml-type.js";
import type { Extents, MetadataArena } from "./metadata-arena.js";

/** Elements per dimension in ggml's order, innermost first: logical [rows, columns] is [columns, rows]. */
export type Ne = readonly [number, number?, number?, number?];
export type Shape = Extents;

/** Key of the arena that holds a tensor's description; used like `native`. */
export const arena: unique symbol = Symbol("arena");

/**
 * A tensor of a Graph, a WeightStore or a TensorStorage, which owns it. Using it after its owner was reset or closed
 * throws GGML_FAILED.
 */
export class Tensor {
  readonly [arena]: MetadataArena;
  /** A function until somebody uses the tensor: it describes the operation and returns its address. */
  #pointer: Pointer | (() => Pointer);
  readonly #generation: number;

  /** @internal Tensors come from their owners. */
  constructor(owner: MetadataArena, pointer: Pointer | (() => Pointer)) {
    this[arena] = owner;
    this.#pointer = pointer;
    this.#generation = owner.generation;
  }

  /** The address. Throws GGML_FAILED when the owner was reset or closed. */
  get [native](): Pointer {
    this[arena].check(this.#generation);
    if (typeof this.#pointer === "function") this.#pointer = this.#pointer();
    return this.#pointer;
  }

  get type(): GgmlType {
    return this[arena].readType(this[native]) as GgmlType;
  }

  get ne(): Shape {
    return this[arena].readNe(this[native]);
  }

  /** Strides in bytes, innermost first. */
  get nb(): Shape {
    return this[arena].readNb(this[native]);
  }

  /** Bytes of the elements without gaps between them. */
  get packedBytes(): number {
    const [ne0, ne1, ne2, ne3] = this.ne;
    return rowSize(this.type, ne0) * ne1 * ne2 * ne3;
  }

  /** Whether the elements are stored in order and without gaps. */
  get isPacked(): boolean {
    const { ne, nb } = this;
    const { blockSize, typeSize } = typeInfo(this.type);
    const row = (ne[0] / blockSize) * typeSize;
    return nb[0] === typeSize && nb[1] === row && nb[2] === row * ne[1] && nb[3] === row * ne[1] * ne[2];
  }

  /** "F32 [64, 2, 1, 1]" (in ne order), for messages. */
  toString(): string {
    return `${typeInfo(this.type).name} [${this.ne.join(", ")}]`;
  }
}

/** All four extents of `ne`: those that it leaves out are 1. */
export const shapeOf = (ne: Ne): Shape => [ne[0], ne[1] ?? 1, ne[2] ?? 1, ne[3] ?? 1];

interface ByteRange {
  readonly offsetBytes: number;
  readonly bytes: number;
  /** Bytes that the tensor takes. */
  readonly total: number;
  readonly name?: string;
}

/** Throws GGML_FAILED when the range reaches outside the tensor. */
export function checkRange(tensor: Tensor, { offsetBytes, bytes, total, name }: ByteRange): void {
  const end = offsetBytes + bytes;
  if (offsetBytes >= 0 && end <= total) return;
  const label = name === undefined ? tensor.toString() : `"${name}" (${tensor})`;
  throw new RhoneError(
    "GGML_FAILED",
    `Bytes ${offsetBytes} to ${end} are outside ${label}, which takes ${total} bytes.`,
  );
}
