import { type Backend, GgmlType, Graph, TensorStorage } from "@rhone/ggml";

export interface MeasuredSpeed {
  /** Billions of floating-point operations per second. */
  readonly gflops: number;
  /** Bytes read per second. */
  readonly bandwidth: number;
}

const SIZE = 512;
const ROUNDS = 3;
const COPIED_BYTES = 64 * 1024 * 1024;

/** A product of two f32 matrices [512, 512] and a copy of 64 MiB on the device, the best of three each: about 50 ms. */
export function measureSpeed(backend: Backend): MeasuredSpeed {
  return { gflops: (2 * SIZE ** 3) / productSeconds(backend) / 1e9, bandwidth: COPIED_BYTES / copySeconds(backend) };
}

function productSeconds(backend: Backend): number {
  const graph = Graph.open(backend, { maxTensors: 8 });
  const operand = new Float32Array(SIZE * SIZE).fill(0.5);
  const [a, b] = [graph.input(GgmlType.F32, [SIZE, SIZE]), graph.input(GgmlType.F32, [SIZE, SIZE])];
  graph.output(graph.mulMat(a, b));
  graph.allocate();
  const seconds = fastest(() => {
    graph.setInput(a, operand);
    graph.setInput(b, operand);
    backend.computeSync(graph);
  });
  graph.close();
  return seconds;
}

function copySeconds(backend: Backend): number {
  const ne = [COPIED_BYTES / 4] as const;
  const specs = ["source", "target"].map((name) => ({ name, type: GgmlType.F32, ne }));
  const storage = TensorStorage.open(backend, specs);
  const graph = Graph.open(backend, { maxTensors: 8 });
  graph.expand(graph.cpy(storage.get("source"), storage.get("target")));
  graph.allocate();
  const seconds = fastest(() => backend.computeSync(graph));
  graph.close();
  storage.close();
  return seconds;
}

/** Seconds of the fastest round. */
function fastest(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    work();
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best;
}
