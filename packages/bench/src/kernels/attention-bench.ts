import {
  type AttentionShape,
  type Backend,
  GgmlType,
  Graph,
  SPAN_COLUMNS,
  type Tensor,
  TensorStorage,
} from "@rhone/ggml";
import { alternate, type Compared } from "./alternate.js";
import type { Backends } from "./product-bench.js";

/** Mistral 7B's heads. */
const [N_HEADS, N_KV_HEADS, HEAD_DIM, PAGE_SIZE] = [32, 8, 128, 32];
const KV_DIM = N_KV_HEADS * HEAD_DIM;
const MAX_TENSORS = 64;

export interface AttentionLoad {
  /** Sequences that decode one row each. */
  readonly sequences: number;
  /** Positions that each of them sees. */
  readonly context: number;
}

/**
 * Decode attention of one layer over f16 keys and values: ours over scattered pages, ggml's at its best, over one
 * contiguous cache for each sequence, without gathering it.
 */
export async function measureAttention(
  { ours, ggml }: Backends,
  load: AttentionLoad,
  rounds: number,
): Promise<Compared> {
  const contenders = [openOurs(ours, load), openGgml(ggml, load)] as const;
  try {
    return await alternate({ ours: contenders[0].run, ggml: contenders[1].run }, rounds);
  } finally {
    for (const each of contenders) each.close();
  }
}

interface Contender {
  readonly run: () => Promise<void>;
  readonly close: () => void;
}

const SHAPE: AttentionShape = {
  type: GgmlType.F16,
  pageSize: PAGE_SIZE,
  headDim: HEAD_DIM,
  nHeads: N_HEADS,
  nKvHeads: N_KV_HEADS,
  slidingWindow: 0,
};

function openOurs(backend: Backend, { sequences, context }: AttentionLoad): Contender {
  const pages = Math.ceil(context / PAGE_SIZE);
  const cache = openCache(backend, sequences * pages * PAGE_SIZE);
  const graph = Graph.open(backend, { maxTensors: MAX_TENSORS });
  const q = graph.input(GgmlType.F32, [N_HEADS * HEAD_DIM, sequences]);
  const spans = graph.input(GgmlType.I32, [SPAN_COLUMNS, sequences]);
  const tables = graph.input(GgmlType.I32, [sequences * pages]);
  const inputs = { q, kPages: cache.get("k"), vPages: cache.get("v"), spans, tables };
  const attended = graph.kernels?.attention.attend(SHAPE, inputs);
  if (attended !== undefined) graph.output(attended);
  graph.allocate();
  const columns = Array.from({ length: sequences }, (_, row) => [row, 1, context - 1, row * pages, 0]);
  return contender(backend, { cache, graph }, [
    [q, queries(sequences)],
    [spans, Int32Array.from(columns.flat())],
    // The pages of sequences that grew side by side.
    [tables, Int32Array.from({ length: sequences * pages }, (_, i) => (i % pages) * sequences + Math.floor(i / pages))],
  ]);
}

function openGgml(backend: Backend, { sequences, context }: AttentionLoad): Contender {
  const cache = openCache(backend, sequences * context);
  const graph = Graph.open(backend, { maxTensors: MAX_TENSORS });
  const q = graph.input(GgmlType.F32, [HEAD_DIM, 1, N_HEADS, sequences]);
  const heads = (name: string): Tensor =>
    graph.view4d(cache.get(name), [HEAD_DIM, context, N_KV_HEADS, sequences], {
      nb: [KV_DIM * 2, HEAD_DIM * 2, KV_DIM * 2 * context],
    });
  graph.output(graph.flashAttnExt({ q, k: heads("k"), v: heads("v"), scale: 1 / Math.sqrt(HEAD_DIM) }));
  graph.allocate();
  return contender(backend, { cache, graph }, [[q, queries(sequences)]]);
}

/** K and V of `rows` positions, filled with noise: zeros would be faster to add. */
function openCache(backend: Backend, rows: number): TensorStorage {
  const ne = [KV_DIM, rows] as const;
  const specs = ["k", "v"].map((name) => ({ name, type: GgmlType.F16, ne }));
  const cache = TensorStorage.open(backend, specs, { readWhole: true });
  const noise = Uint16Array.from({ length: KV_DIM * rows }, (_, i) => 0x2c00 + ((i * 7919) % 1024));
  for (const { name } of specs) cache.set(name, noise);
  return cache;
}

const queries = (rows: number): Float32Array =>
  Float32Array.from({ length: rows * N_HEADS * HEAD_DIM }, (_, i) => Math.sin(i));

function contender(
  backend: Backend,
  { cache, graph }: { readonly cache: TensorStorage; readonly graph: Graph },
  inputs: readonly (readonly [Tensor, ArrayBufferView])[],
): Contender {
  return {
    run: () => {
      for (const [tensor, values] of inputs) graph.setInput(tensor, values);
      return backend.compute(graph);
    },
    close: () => {
      graph.close();
      cache.close();
    },
  };
}
