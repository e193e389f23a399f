import { type Backend, GgmlType, Graph, quantizeChunk, type Tensor, WeightStore } from "@rhone/ggml";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { randomNumbers } from "../../../../packages/model/src/testing/random-model.js";
import { openTestBackend } from "../testing/test-backend.js";
import { add, linear, norm, swiglu } from "./linear.js";

const { engine, backend } = openTestBackend();
const ggml = openTestBackend("ggml").backend;
afterAll(() => {
  for (const each of [backend, ggml]) each.close();
});

const WIDTHS = [64, 96, 160] as const;
const random = randomNumbers(5);
const numbers = (count: number, scale = 1) => Float32Array.from({ length: count }, () => scale * random());

/** A weight for each pair of widths: a type that kernels have, and one that they have not. */
const MATRICES = WIDTHS.flatMap((k) =>
  WIDTHS.flatMap((n) =>
    [GgmlType.Q4_0, GgmlType.F16].map((type) => {
      const source = numbers(k * n, 2 / Math.sqrt(k));
      return {
        name: `${k} ${n} ${type}`,
        type,
        ne: [k, n] as const,
        bytes: quantizeChunk(engine, { type, source, nPerRow: k }),
      };
    }),
  ),
);
const FACTORS = WIDTHS.map((k) => ({ name: `${k}`, type: GgmlType.F32, ne: [k] as const, bytes: numbers(k, 1) }));

function openStore(on: Backend): WeightStore {
  const store = WeightStore.open(on, [
    ...MATRICES.map((spec) => ({ ...spec, use: "matmul" as const })),
    ...FACTORS.map((spec) => ({ ...spec, use: "norm" as const })),
  ]);
  for (const { name, bytes } of [...MATRICES, ...FACTORS]) store.set(name, new Uint8Array(bytes.buffer));
  afterAll(() => store.close());
  return store;
}

/** One operation of a random program; a and b choose among the tensors so far. */
interface Operation {
  readonly kind: "norm" | "swiglu" | "add" | "linear";
  readonly a: number;
  readonly b: number;
  readonly width: number;
  readonly packed: boolean;
  readonly read: boolean;
}

const operation: fc.Arbitrary<Operation> = fc.record({
  kind: fc.constantFrom("norm", "swiglu", "add", "linear", "linear", "linear"),
  a: fc.nat(),
  b: fc.nat(),
  width: fc.constantFrom(...WIDTHS),
  packed: fc.boolean(),
  read: fc.boolean(),
});

/** Runs a program on one row count; every tensor that is read, and the last. */
async function run(
  on: { readonly backend: Backend; readonly store: WeightStore },
  rows: number,
  program: readonly Operation[],
) {
  const graph = Graph.open(on.backend, { maxTensors: 512 });
  const inputs = WIDTHS.map((k) => graph.input(GgmlType.F32, [k, rows]));
  const tensors: [Tensor, number][] = inputs.map((input, i) => [input, WIDTHS[i] as number]);
  const read: [Tensor, number][] = [];
  for (const [index, each] of program.entries()) {
    const made = describeOperation(graph, on.store, tensors, each);
    if (made === undefined) continue;
    tensors.push(made);
    if (each.read || index === program.length - 1) read.push(made);
  }
  for (const [tensor] of read) graph.output(tensor);
  graph.allocate();
  const fill = randomNumbers(9);
  for (const [i, input] of inputs.entries()) {
    const values = Float32Array.from({ length: rows * (WIDTHS[i] as number) }, fill);
    if (graph.isNeeded(input)) graph.setInput(input, values);
  }
  await on.backend.compute(graph);
  const results = read.map(([tensor, width]) => graph.read(tensor, new Float32Array(width * rows)));
  graph.close();
  return results;
}

/** The operation's result and width; undefined when no other tensor has a's width. */
function describeOperation(
  graph: Graph,
  store: WeightStore,
  tensors: readonly (readonly [Tensor, number])[],
  { kind, a, b, width, packed }: Operation,
): [Tensor, number] | undefined {
  const [x, k] = tensors[a % tensors.length] as [Tensor, number];
  if (kind === "norm") return [norm(graph, x, { factors: store.get(`${k}`), eps: 1e-5 }), k];
  if (kind === "linear") {
    const weight = store.weight(`${k} ${width} ${packed ? GgmlType.Q4_0 : GgmlType.F16}`);
    return [linear(graph, x, weight), width];
  }
  const same = tensors.filter(([, other]) => other === k);
  const [other] = same[b % same.length] as [Tensor, number];
  return [kind === "add" ? add(graph, x, other) : swiglu(graph, x, other), k];
}

describe("Graphs of fused operations", () => {
  const ours = { backend, store: openStore(backend) };
  const theirs = { backend: ggml, store: openStore(ggml) };

  test("give what ggml gives one operation after another, whatever is made of what", async () => {
    const program = fc.array(operation, { minLength: 2, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), program, async (rows, operations) => {
        const [fused, plain] = [await run(ours, rows, operations), await run(theirs, rows, operations)];
        for (const [index, values] of plain.entries()) expect(relativeError(fused[index], values)).toBeLessThan(0.03);
      }),
      { numRuns: 1000, seed: 1 },
    );
  });
});

/** Root mean square of the differences, relative to the values. Both sides round rows to 8 bits. */
function relativeError(actual: Float32Array | undefined, expected: Float32Array): number {
  let [error, size] = [0, 1e-12];
  for (const [i, value] of expected.entries()) {
    error += ((actual?.[i] ?? Number.NaN) - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(error / size);
}
