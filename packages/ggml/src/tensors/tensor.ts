import type { Pointer } from "../bindings/pointer.js";
import type { GgmlType } from "../elements/ggml-type.js";
import { rowSize, typeInfo } from "../elements/ggml-type.js";
import type { Extents, MetadataArena } from "./metadata-arena.js";

/** Elements per dimension in ggml's order, innermost first: logical [rows, columns] is [columns, rows]. */
export type Ne = readonly [number, number?, number?, number?];
export type Shape = Extents;

/**
 * A tensor of a Graph, a WeightStore or a TensorStorage, which owns it. Using one after its owner was reset or closed
 * throws GGML_FAILED.
 */
export class Tensor {
  readonly #arena: MetadataArena;
  readonly #pointer: Pointer;
  readonly #generation: number;

  /** @internal Tensors come from their owners. */
  constructor(arena: MetadataArena, pointer: unknown) {
    this.#arena = arena;
    this.#pointer = pointer as Pointer;
    this.#generation = arena.generation;
  }

  get type(): GgmlType {
    return this.#arena.readType(Tensor.pointerOf(this)) as GgmlType;
  }

  get ne(): Shape {
    return this.#arena.readNe(Tensor.pointerOf(this));
  }

  /** Strides in bytes, innermost first. */
  get nb(): Shape {
    return this.#arena.readNb(Tensor.pointerOf(this));
  }

  /** Bytes that the elements would take if they lay without gaps. */
  get packedBytes(): number {
    const [ne0, ne1, ne2, ne3] = this.ne;
    return rowSize(this.type, ne0) * ne1 * ne2 * ne3;
  }

  /** "F32 [64, 2]" (ne order), for messages. */
  toString(): string {
    return `${typeInfo(this.type).name} [${this.ne.join(", ")}]`;
  }

  /** Whether the elements lie without gaps and in order. */
  get isPacked(): boolean {
    const { ne, nb } = this;
    const { blockSize, typeSize } = typeInfo(this.type);
    const row = (ne[0] / blockSize) * typeSize;
    return nb[0] === typeSize && nb[1] === row && nb[2] === row * ne[1] && nb[3] === row * ne[1] * ne[2];
  }

  static readonly arenaOf = (tensor: Tensor): MetadataArena => tensor.#arena;

  /** Reaches the address from within this package; throws GGML_FAILED when the owner is gone. */
  static readonly pointerOf = (tensor: Tensor): Pointer => {
    tensor.#arena.check(tensor.#generation);
    return tensor.#pointer;
  };
}

export const pointerOf = Tensor.pointerOf;
export const arenaOf = Tensor.arenaOf;
