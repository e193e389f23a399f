import {
  type Graph,
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
 * `linear` and `add` look up what they would be and describe the two together instead.
 */
export function linear(graph: Graph, x: Tensor, weight: Weight): Tensor {
  if (!(weight instanceof PackedWeight)) return graph.mulMat(weight, x);
  const product = graph.later(() => multiply(graph, { x, weight }));
  products.set(product, { x, weight });
  return product;
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
  return product === undefined ? graph.add(a, b) : multiply(graph, product, a);
}

interface Product {
  readonly x: Tensor;
  readonly weight: PackedWeight;
}

/** The products that are not described yet, by their results. */
const products = new WeakMap<Tensor, Product>();
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

function multiply(graph: Graph, { x, weight }: Product, residual?: Tensor): Tensor {
  const { kernels } = graph;
  if (kernels === undefined) throw new RangeError("a packed weight came to a graph without kernels");
  const kind = kernels.kindFor(weight);
  const known = quantized.get(x) ?? new Map<number, QuantizedRows>();
  const rows = known.get(kind) ?? kernels.quantize(sources.get(x) ?? { how: "plain", x }, kind);
  quantized.set(x, known.set(kind, rows));
  return kernels.product(weight, rows, residual);
}
