import { RhoneError } from "@rhone/common";
import { type KernelBindings, MOST_PRODUCTS, QUANTIZE_HOW } from "../bindings/kernels.js";
import type { Pointer } from "../bindings/pointer.js";
import type { PackedWeight } from "../tensors/packed-weight.js";
import type { Tensor } from "../tensors/tensor.js";
import { AttentionOperations } from "./attention-operations.js";
import type { GraphMemory } from "./graph-memory.js";

/** What rows are quantized from. All tensors are f32. */
export type QuantizeSource =
  /** x: [rows, k] (ne [k, rows]); rows may have gaps between them. */
  | { readonly how: "plain"; readonly x: Tensor }
  /** x / sqrt(mean(x²) + eps) * factors; factors: [k]. */
  | { readonly how: "norm"; readonly x: Tensor; readonly factors: Tensor; readonly eps: number }
  /** silu(gate) * up, both [rows, k]. */
  | { readonly how: "swiglu"; readonly gate: Tensor; readonly up: Tensor };

/** Rows as integers with scales, in the kernels' own layout: the right side of a product. */
export interface QuantizedRows {
  readonly bytes: Tensor;
  readonly rows: number;
  readonly k: number;
  /** Which types of weights they can be multiplied by. */
  readonly kind: number;
}

export interface RowsToRead {
  readonly logits: Tensor;
  readonly requests: Tensor;
  /** At least what any request wants. */
  readonly mostAlternatives: number;
  readonly threads: number;
}

/** The operations of a graph that Rhone's own kernels compute. */
export class KernelOperations {
  readonly attention: AttentionOperations;
  /** Most weights that `products` takes. */
  readonly mostProducts = MOST_PRODUCTS;
  readonly #kernels: KernelBindings;
  readonly #memory: GraphMemory;
  readonly #nodes: Pointer;

  constructor(kernels: KernelBindings, memory: GraphMemory, nodes: Pointer) {
    this.#kernels = kernels;
    this.#memory = memory;
    this.#nodes = nodes;
    this.attention = new AttentionOperations(kernels, memory, nodes);
  }

  /** The kind of quantized rows that products with `weight` take. */
  kindFor(weight: PackedWeight): number {
    return this.#kernels.activationKind(weight.type);
  }

  /** Rows for products with weights of `kind`. */
  quantize(source: QuantizeSource, kind: number): QuantizedRows {
    const [x, factors, eps] = operandsOf(source);
    const [k, rows] = x.ne;
    const [a, b] = [this.#memory.use(x), factors === null ? null : this.#memory.use(factors)];
    const { context } = this.#memory;
    const node = this.#kernels.quantize(this.#nodes, context, QUANTIZE_HOW[source.how], kind, a, b, eps);
    return { bytes: this.#own(node, `quantize ${x}`), rows, k, kind };
  }

  /**
   * weight [n, k] times each of the rows: f32 [rows, n] (ne [n, rows]), added to `residual` of that shape when it is
   * given. The rows' kind must be the weight's.
   */
  product(weight: PackedWeight, quantized: QuantizedRows, residual?: Tensor): Tensor {
    const { bytes, rows, k } = quantized;
    this.#checkKind(weight, quantized);
    const [w, act] = [this.#memory.use(weight.bytes), this.#memory.use(bytes)];
    const added = residual === undefined ? null : this.#memory.use(residual);
    const { context } = this.#memory;
    const node = this.#kernels.product(this.#nodes, context, weight.type, w, weight.ne[1], k, act, rows, added);
    return this.#own(node, `multiply ${rows} rows`);
  }

  /**
   * What `product` gives for each of at most `mostProducts` weights, in one node: the threads wait for each other once,
   * not after each product.
   */
  products(weights: readonly PackedWeight[], quantized: QuantizedRows): readonly Tensor[] {
    for (const weight of weights) this.#checkKind(weight, quantized);
    const [act, { context }] = [this.#memory.use(quantized.bytes), this.#memory];
    const types = Int32Array.from(weights, ({ type }) => type);
    const packed = BigUint64Array.from(weights, ({ bytes }) => this.#memory.use(bytes));
    const rows = BigInt64Array.from(weights, ({ ne }) => BigInt(ne[1]));
    const results = new BigUint64Array(weights.length);
    const { k, rows: n } = quantized;
    const call = [this.#nodes, context, weights.length, types, packed, rows, k, act, n, results] as const;
    if (this.#kernels.products(...call) !== 0) throw cannot(`multiply ${n} rows by ${weights.length} weights`);
    return Array.from(results, (result) => this.#memory.own(result as Pointer));
  }

  #checkKind(weight: PackedWeight, { k, kind }: QuantizedRows): void {
    if (k === weight.ne[0] && kind === this.kindFor(weight)) return;
    const message = `Rows of ${k} numbers, kind ${kind}, can't be multiplied by a weight of [${weight.ne.join(", ")}].`;
    throw new RhoneError("GGML_FAILED", message);
  }

  /**
   * Reads rows of logits, f32 [rows, nVocab] (ne [nVocab, rows]) without gaps, as `requests` say: I8, records of
   * `kernels/row-records.ts`, which also reads the result. For at most `threads` threads.
   */
  readRows({ logits, requests, mostAlternatives, threads }: RowsToRead): Tensor {
    const [from, what, { context }] = [this.#memory.use(logits), this.#memory.use(requests), this.#memory];
    const node = this.#kernels.readRows(this.#nodes, context, from, what, mostAlternatives, threads);
    return this.#own(node, `read ${logits}`);
  }

  #own(node: Pointer | null, action: string): Tensor {
    if (node !== null) return this.#memory.own(node);
    throw cannot(action);
  }
}

function cannot(action: string): RhoneError {
  const message = `The kernels can't ${action}: the graph has no room, or the shape is none of theirs.`;
  return new RhoneError("GGML_FAILED", message);
}

function operandsOf(source: QuantizeSource): readonly [x: Tensor, factors: Tensor | null, eps: number] {
  switch (source.how) {
    case "plain":
      return [source.x, null, 0];
    case "norm":
      return [source.x, source.factors, source.eps];
    case "swiglu":
      return [source.gate, source.up, 0];
  }
}
