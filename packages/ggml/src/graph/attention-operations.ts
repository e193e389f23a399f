import { RhoneError } from "@rhone/common";
import { attentionShape, type KernelBindings, ROPE_MODE, ropeParameters } from "../bindings/kernels.js";
import type { Pointer } from "../bindings/pointer.js";
import type { GgmlType } from "../elements/ggml-type.js";
import type { Tensor } from "../tensors/tensor.js";
import type { GraphMemory } from "./graph-memory.js";
import type { RopeOptions } from "./operation-options.js";

/** A layer's heads and pages: K and V are [pages * pageSize, nKvHeads * headDim] of `type`. */
export interface AttentionShape {
  readonly type: GgmlType;
  readonly pageSize: number;
  readonly headDim: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  /** Positions that a row sees, itself included; 0: all before it. */
  readonly slidingWindow: number;
}

/** Columns of a span: first row in the step, rows, position of the first row, where its pages begin, first page. */
export const SPAN_COLUMNS = 5;

/** Where a step's rows are in their sequences, and what pages these have. */
export interface StepPages {
  /** i32 [spans, SPAN_COLUMNS] (ne [SPAN_COLUMNS, spans]); every row is in one of them. */
  readonly spans: Tensor;
  /** i32 [page ids]: of each span from its first page up to the page of its last row. */
  readonly tables: Tensor;
}

/** A layer's pages, and its queries: f32 [rows, nHeads * headDim] (ne [nHeads * headDim, rows]), with any gaps. */
export interface AttentionInputs extends StepPages {
  readonly q: Tensor;
  readonly kPages: Tensor;
  readonly vPages: Tensor;
}

/** Besides, the rows' keys and values: f32 [rows, nKvHeads * headDim], with any gaps between them. */
export interface WriteInputs extends AttentionInputs {
  readonly k: Tensor;
  readonly v: Tensor;
  /** From `rotations`. */
  readonly rotations: Tensor;
}

/** `attention` of `KernelOperations`: what a layer does with its pages, read and written in place. */
export class AttentionOperations {
  readonly #kernels: KernelBindings;
  readonly #memory: GraphMemory;
  readonly #nodes: Pointer;

  constructor(kernels: KernelBindings, memory: GraphMemory, nodes: Pointer) {
    this.#kernels = kernels;
    this.#memory = memory;
    this.#nodes = nodes;
  }

  /** Whether the kernels attend with these heads and pages. */
  supports(shape: AttentionShape): boolean {
    return this.#kernels.attends(nativeShape(shape)) === 1;
  }

  /** Whether `rotations` and `writeKv` know this rotation: of halves they rotate 16 elements at a time. */
  rotates({ mode, dims }: Pick<RopeOptions, "mode" | "dims">): boolean {
    return dims % (mode === "neox" ? 16 : 2) === 0;
  }

  /** Cosines and sines of each row's rotation, for all layers of a step: f32 [rows, dims]. */
  rotations(rope: RopeOptions, { spans }: StepPages, rows: number): Tensor {
    const { freqFactors } = rope;
    const [who, factors] = [this.#memory.use(spans), freqFactors === undefined ? null : this.#memory.use(freqFactors)];
    const { context } = this.#memory;
    return this.#own(
      this.#kernels.rotations(this.#nodes, context, nativeRope(rope), who, rows, factors),
      `rotate ${spans}`,
    );
  }

  /**
   * Rotates q and k, and writes k and v over their rows of the pages, converted to the pages' type. The result is the
   * rotated q, f32 [rows, nHeads * headDim]: attention that reads it comes after the writing.
   */
  writeKv(shape: AttentionShape, rope: RopeOptions, inputs: WriteInputs): Tensor {
    const { q, k, v, kPages, vPages, spans, tables, rotations } = inputs;
    const use = (tensor: Tensor) => this.#memory.use(tensor);
    const [a, b, c, keys, values] = [use(q), use(k), use(v), use(kPages), use(vPages)];
    const [who, where, angles] = [use(spans), use(tables), use(rotations)];
    const [native, pairs, { context }] = [nativeShape(shape), nativeRope(rope), this.#memory];
    const node = this.#kernels.writeKv(
      ...([this.#nodes, context, native, pairs, a, b, c, keys, values, who, where, angles] as const),
    );
    return this.#own(node, `write ${k}`);
  }

  /**
   * Attention over pages: f32 [rows, nHeads * headDim]. A row at position p sees p and what its window has before it.
   * Expand what writes the pages before this, unless q comes from `writeKv`.
   */
  attend(shape: AttentionShape, { q, kPages, vPages, spans, tables }: AttentionInputs): Tensor {
    const use = (tensor: Tensor) => this.#memory.use(tensor);
    const [query, keys, values, who, where] = [use(q), use(kPages), use(vPages), use(spans), use(tables)];
    const [native, { context }] = [nativeShape(shape), this.#memory];
    const node = this.#kernels.attend(this.#nodes, context, native, query, keys, values, who, where, null);
    return this.#own(node, `attend with ${q}`);
  }

  #own(node: Pointer | null, action: string): Tensor {
    if (node !== null) return this.#memory.own(node);
    throw new RhoneError(
      "GGML_FAILED",
      `The kernels can't ${action}: the graph has no room, or the shape is none of theirs.`,
    );
  }
}

const nativeShape = ({ slidingWindow, ...shape }: AttentionShape): Uint8Array =>
  attentionShape({ ...shape, window: slidingWindow }, 1 / Math.sqrt(shape.headDim));

const nativeRope = ({ mode, dims, freqBase, freqScale = 1 }: RopeOptions): Uint8Array =>
  ropeParameters({ mode: ROPE_MODE[mode], dims, freqBase, freqScale });
