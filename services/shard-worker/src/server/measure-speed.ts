import { type Backend, GgmlType, Graph } from "@rhone/ggml";

export interface MeasuredSpeed {
  /** Billions of floating-point operations per second. */
  readonly gflops: number;
  /** Bytes read per second. */
  readonly bandwidth: number;
}

const SIZE = 512;
const ROUNDS = 3;
const BUFFER_BYTES = 64 * 1024 * 1024;

/** A product of two f32 matrices [512, 512] and a copy of 64 MiB, the best of three each: about 50 ms. */
export function measureSpeed(backend: Backend): MeasuredSpeed {
  const graph = Graph.open(backend, { maxTensors: 64 });
  const operand = new Float32Array(SIZE * SIZE).fill(0.5);
  const [a, b] = [graph.input(GgmlType.F32, [SIZE, SIZE]), graph.input(GgmlType.F32, [SIZE, SIZE])];
  graph.output(graph.mulMat(a, b));
  graph.allocate();
  const source = Buffer.alloc(BUFFER_BYTES, 1);
  const target = Buffer.alloc(BUFFER_BYTES);
  const product = fastest(() => {
    graph.setInput(a, operand);
    graph.setInput(b, operand);
    backend.computeSync(graph);
  });
  const copy = fastest(() => source.copy(target));
  graph.close();
  return { gflops: (2 * SIZE ** 3) / product / 1e9, bandwidth: BUFFER_BYTES / copy };
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
