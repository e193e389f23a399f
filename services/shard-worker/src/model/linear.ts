import {
  type Graph,
  type KernelOperations,
  PackedWeight,
  type QuantizedRows,
  type QuantizeSource,
  type Tensor,
  type Weight,
} from "@rhone/ggml";

/**
 * x · weightᵀ: f32 [rows, in] (ne [in, rows]) and a weight [out, in] (ne [in, out]) of any type give f32 [rows, out]
 * (ne [out, rows]). The only place where the worker multiplies by a weight: by Rhone's kernels one that is packed for
 * them, by ggml any other.
 *
 * The kernels compute more than the product in one node. They quantize the rows of x anyway, so the norm or the
 * SwiGLU that made them costs no pass of its own, and they add the product to the residual while they have it at hand.
 * `norm`, `swiglu` and `linear` therefore return tensors that are described only when somebody reads them as they are;
 * `linear` and `add` look up what they would be and describe the two together instead. Products of the same x that
 * were asked for before one of them is read become one node.
 */
export function linear(graph: Graph, x: Tensor, weight: Weight): Tensor {
  if (!(weight instanceof PackedWeight)) return graph.mulMat(weight, x);
  const product: Product = { x, weight, described: undefined };
  const result = graph.later(() => product.described ?? together(graph, product));
  products.set(result, product);
  waitingOf(x).add(product);
  return result;
}

/** x / sqrt(mean(x²) + eps) * factors along the innermost dimension; factors: f32 [ne0]. */
export function norm(
  graph: Graph,
  x: Tensor,
  { factors, eps }: { readonly factors: Tensor; readonly eps: number },
): Tensor {
  return madeOf(graph, { how: "norm", x, factors, eps }, () => graph.mul(graph.rmsNorm(x, eps), factors));
}

/** silu(gate) * up, both f32 [rows, k]. */
export function swiglu(graph: Graph, gate: Tensor, up: Tensor): Tensor {
  return madeOf(graph, { how: "swiglu", gate, up }, () => graph.swigluSplit(gate, up));
}

/** a + b, of one shape. */
export function add(graph: Graph, a: Tensor, b: Tensor): Tensor {
  const product = products.get(b);
  if (product === undefined || product.described !== undefined) return graph.add(a, b);
  const { x, weight } = product;
  waitingOf(x).delete(product);
  const kernels = kernelsOf(graph);
  return kernels.product(weight, rowsOf(kernels, x, kernels.kindFor(weight)), a);
}

interface Product {
  readonly x: Tensor;
  readonly weight: PackedWeight;
  /** Undefined until somebody reads the product as it is. */
  described: Tensor | undefined;
}

/** Products by their results. */
const products = new WeakMap<Tensor, Product>();
/** The products of an x that are not described yet, nor went into a sum. */
const waiting = new WeakMap<Tensor, Set<Product>>();
/** What the rows of a tensor are made of, for those that are quantized with it in one pass. */
const sources = new WeakMap<Tensor, QuantizeSource>();
/** The quantized rows of a tensor, by kind: q, k and v share them, as do gate and up. */
const quantized = new WeakMap<Tensor, Map<number, QuantizedRows>>();

function madeOf(graph: Graph, source: QuantizeSource, describe: () => Tensor): Tensor {
  if (graph.kernels === undefined) return describe();
  const result = graph.later(describe);
  sources.set(result, source);
  return result;
}

function waitingOf(x: Tensor): Set<Product> {
  const known = waiting.get(x) ?? new Set();
  waiting.set(x, known);
  return known;
}

/** The product, described in one node with the other products of its x that wait. */
function together(graph: Graph, product: Product): Tensor {
  const { x, weight } = product;
  const kernels = kernelsOf(graph);
  const kind = kernels.kindFor(weight);
  waitingOf(x).delete(product);
  const others = [...waitingOf(x)].filter((other) => kernels.kindFor(other.weight) === kind);
  const group = [product, ...others].slice(0, kernels.mostProducts);
  const rows = rowsOf(kernels, x, kind);
  const results = kernels.products(
    group.map((each) => each.weight),
    rows,
  );
  for (const [index, each] of group.entries()) {
    each.described = results[index];
    waitingOf(x).delete(each);
  }
  return results[0] as Tensor;
}

function rowsOf(kernels: KernelOperations, x: Tensor, kind: number): QuantizedRows {
  const known = quantized.get(x) ?? new Map<number, QuantizedRows>();
  const rows = known.get(kind) ?? kernels.quantize(sources.get(x) ?? { how: "plain", x }, kind);
  quantized.set(x, known.set(kind, rows));
  return rows;
}

function kernelsOf({ kernels }: Graph): KernelOperations {
  if (kernels === undefined) throw new RangeError("a packed weight came to a graph without kernels");
  return kernels;
}
