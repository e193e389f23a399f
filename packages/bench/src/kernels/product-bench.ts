import {
  type Backend,
  type Engine,
  GgmlType,
  Graph,
  PackedWeight,
  type QuantizedRows,
  quantizeChunk,
  rowSize,
  type Tensor,
  type Weight,
  WeightStore,
} from "@rhone/ggml";
import { alternate, type Compared } from "./alternate.js";

/** A matrix [rows, k] of the model. */
export interface MatrixShape {
  readonly name: string;
  readonly k: number;
  readonly rows: number;
}

/** The products of Mistral 7B's layers, and its head. */
export const MATRICES: readonly MatrixShape[] = [
  { name: "q, o", k: 4096, rows: 4096 },
  { name: "k, v", k: 4096, rows: 1024 },
  { name: "gate, up", k: 4096, rows: 14336 },
  { name: "down", k: 14336, rows: 4096 },
  { name: "head", k: 4096, rows: 32000 },
];

/** Weights of this many bytes are read in turn, so that none of them is still in the processor's caches. */
const COLD_BYTES = 192 * 2 ** 20;
/** A small matrix is not copied more often: its graph would be large instead. */
const MOST_COPIES = 64;
const MAX_TENSORS = 8 * MOST_COPIES;

export interface Backends {
  readonly engine: Engine;
  /** With kernels. */
  readonly ours: Backend;
  /** ggml alone, with the same number of threads. */
  readonly ggml: Backend;
}

/** Copies of one matrix for the kernels and for ggml. Close it before the backends. */
export class ProductBench {
  readonly #ours: Side;
  readonly #ggml: Side;

  private constructor(ours: Side, ggml: Side) {
    this.#ours = ours;
    this.#ggml = ggml;
  }

  /** Throws OUT_OF_MEMORY: both sides take about 200 MB. */
  static async open({ engine, ours, ggml }: Backends, type: GgmlType, shape: MatrixShape): Promise<ProductBench> {
    const bytes = randomMatrix(engine, type, shape);
    return new ProductBench(await Side.open(ours, type, shape, bytes), await Side.open(ggml, type, shape, bytes));
  }

  /** Milliseconds of one product with `rows` rows of activations, quantizing them included. */
  async measure(rows: number, rounds: number): Promise<Compared> {
    const [ours, ggml] = [this.#ours.prepare(rows), this.#ggml.prepare(rows)];
    const { copies } = this.#ours;
    const whole = await alternate({ ours, ggml }, rounds);
    const each = ({ median, least }: Compared["ours"]) => ({ median: median / copies, least: least / copies });
    return { ours: each(whole.ours), ggml: each(whole.ggml), ratio: whole.ratio };
  }

  close(): void {
    for (const side of [this.#ours, this.#ggml]) side.close();
  }
}

/** One contender: copies of a matrix, and a graph that multiplies by each of them. */
class Side {
  readonly copies: number;
  readonly #backend: Backend;
  readonly #shape: MatrixShape;
  readonly #store: WeightStore;
  readonly #graph: Graph;

  private constructor(backend: Backend, shape: MatrixShape, store: WeightStore) {
    this.#backend = backend;
    this.#shape = shape;
    this.#store = store;
    this.#graph = Graph.open(backend, { maxTensors: MAX_TENSORS });
    this.copies = store.names.length;
  }

  static async open(backend: Backend, type: GgmlType, shape: MatrixShape, bytes: Uint8Array): Promise<Side> {
    const copies = Math.min(MOST_COPIES, Math.ceil(COLD_BYTES / bytes.byteLength));
    const ne = [shape.k, shape.rows] as const;
    const specs = Array.from({ length: copies }, (_, copy) => ({ name: `${copy}`, type, ne, use: "matmul" as const }));
    const store = WeightStore.open(backend, specs);
    for (const { name } of specs) await store.setAsync(name, bytes);
    return new Side(backend, shape, store);
  }

  /** Describes the products of `rows` rows; the result computes them. */
  prepare(rows: number): () => Promise<void> {
    const graph = this.#graph;
    graph.reset();
    const { k } = this.#shape;
    const x = graph.input(GgmlType.F32, [k, rows]);
    for (const name of this.#store.names) graph.output(multiply(graph, x, this.#store.weight(name)));
    graph.allocate();
    const values = Float32Array.from({ length: k * rows }, (_, i) => Math.sin(i));
    return () => {
      graph.setInput(x, values);
      return this.#backend.compute(graph);
    };
  }

  close(): void {
    this.#graph.close();
    this.#store.close();
  }
}

/** Each product quantizes its rows itself, as ggml's do. */
function multiply(graph: Graph, x: Tensor, weight: Weight): Tensor {
  const { kernels } = graph;
  if (!(weight instanceof PackedWeight) || kernels === undefined) return graph.mulMat(weight as Tensor, x);
  const rows: QuantizedRows = kernels.quantize({ how: "plain", x }, kernels.kindFor(weight));
  return kernels.product(weight, rows);
}

/** A few rows of noise, repeated: quantizing all of a head would take longer than the bench. */
function randomMatrix(engine: Engine, type: GgmlType, { k, rows }: MatrixShape): Uint8Array {
  const source = Float32Array.from({ length: k * 16 }, (_, i) => Math.sin(i * i));
  const part = quantizeChunk(engine, { type, source, nPerRow: k });
  const bytes = new Uint8Array(rowSize(type, k) * rows);
  for (let at = 0; at < bytes.length; at += part.length) bytes.set(part.subarray(0, bytes.length - at), at);
  return bytes;
}
