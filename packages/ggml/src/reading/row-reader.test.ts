import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../backend/backend.js";
import { GgmlType } from "../elements/ggml-type.js";
import { Graph } from "../graph/graph.js";
import { type RowReading, type RowRequest, readRow } from "../sampling/read-row.js";
import { Sampler } from "../sampling/sampler.js";
import { backendWith, kernelVariants } from "../testing/kernel-variants.js";
import { series } from "../testing/series.js";
import { RowReader } from "./row-reader.js";

const machines = (["ggml", ...kernelVariants] as const).flatMap((choice) =>
  [1, 3].map((threads) => ({ name: `${choice}, ${threads} threads`, choice, threads })),
);

/** Reads rows of logits that a graph of `backend` holds. */
async function readAll(backend: Backend, rows: readonly Float32Array[], requests: readonly RowRequest[]) {
  const graph = Graph.open(backend, { maxTensors: 8 });
  const reader = new RowReader(backend);
  try {
    const width = rows[0]?.length ?? 0;
    const tensor = graph.output(graph.input(GgmlType.F32, [width, rows.length]));
    graph.allocate();
    const logits = new Float32Array(width * rows.length);
    for (const [i, row] of rows.entries()) logits.set(row, i * width);
    graph.setInput(tensor, logits);
    await backend.compute(graph);
    return await reader.read({ graph, tensor }, requests);
  } finally {
    reader.close();
    graph.close();
  }
}

const SPECIAL = [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0, -0, 3e38, -3e38, 1e-42];
const logit = fc.oneof(
  { weight: 6, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) },
  { weight: 4, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(...SPECIAL) },
);
const tokensBelow = (n: number) => fc.uniqueArray(fc.integer({ min: -1, max: n + 1 }), { maxLength: 6 });

/** A row, and everything that may be wanted of it. */
const wantedOf = (n: number, row: number): fc.Arbitrary<RowRequest> =>
  fc
    .record({
      options: fc.record(
        {
          temperature: fc.constantFrom(0, 0.1, 0.7, 1, 2, 1e6),
          topK: fc.constantFrom(0, 1, 2, 7, n, n + 5),
          topP: fc.constantFrom(1e-6, 0.3, 0.95, 0.999, 1),
          minP: fc.constantFrom(0, 0.01, 0.5, 1),
          repetitionPenalty: fc.constantFrom(1, 0.5, 1.3),
          frequencyPenalty: fc.constantFrom(0, 0.4, -0.3),
          presencePenalty: fc.constantFrom(0, 0.5, -1),
          promptTokens: tokensBelow(n),
          generatedTokens: fc.array(fc.integer({ min: 0, max: n }), { maxLength: 6 }),
          logitBias: tokensBelow(n).chain((tokens) =>
            fc
              .array(fc.float({ min: -5, max: 5, noNaN: true }), { minLength: tokens.length, maxLength: tokens.length })
              .map((values) => ({ tokens: Int32Array.from(tokens), values: Float32Array.from(values) })),
          ),
        },
        { requiredKeys: [] },
      ),
      banned: fc.option(
        tokensBelow(n).map((tokens) => Int32Array.from(tokens)),
        { nil: undefined },
      ),
      allowed: fc.option(
        fc
          .array(fc.integer(), { minLength: Math.ceil(n / 32), maxLength: Math.ceil(n / 32) })
          .map((words) => Int32Array.from(words)),
        { nil: undefined },
      ),
      seed: fc.nat(),
      alternatives: fc.option(fc.constantFrom(0, 1, 5, n, n + 3), { nil: undefined }),
      target: fc.option(fc.integer({ min: 0, max: n - 1 }), { nil: undefined }),
      draws: fc.boolean(),
    })
    .map(({ options, banned, allowed, seed, alternatives, target, draws }) => {
      const draw = new Sampler(options).request({ seed, position: 3 }, { banned, allowed });
      return { row, alternatives, target, draw: draws ? draw : undefined };
    });

const step = fc.tuple(fc.constantFrom(1, 7, 32, 61, 200), fc.integer({ min: 1, max: 5 })).chain(([n, count]) =>
  fc.record({
    rows: fc.array(
      fc.array(logit, { minLength: n, maxLength: n }).map((row) => Float32Array.from(row)),
      { minLength: count, maxLength: count },
    ),
    requests: fc.tuple(...Array.from({ length: count }, (_, row) => wantedOf(n, row))),
  }),
);

describe.each(machines)("rows read with $name", ({ choice, threads }) => {
  let backend: Backend;
  // A choice holds for the whole process, so each machine is opened when it is its turn.
  beforeAll(() => {
    backend = backendWith(choice, threads);
  });
  afterAll(() => backend.close());

  const inJavaScript = (rows: readonly Float32Array[], requests: readonly RowRequest[]): RowReading[] =>
    requests.map((request) => readRow(rows[request.row] ?? new Float32Array(), request));

  it("give the tokens and log-probabilities of JavaScript, bit for bit", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(step, async ({ rows, requests }) => {
        expect(await readAll(backend, rows, requests)).toEqual(inJavaScript(rows, requests));
      }),
      { numRuns: 300 },
    );
  });

  it("do so for large vocabularies, narrow and wide distributions", { timeout: 120_000 }, async () => {
    const nVocab = 32_003;
    const rows = [1e-4, 1, 30].map((scale, i) => series(nVocab, i + 1).map((value) => value * scale));
    for (const options of [{}, { topP: 0.95 }, { topK: 50 }, { topK: 500, topP: 0.5, minP: 0.01 }, { temperature: 0 }])
      for (const temperature of [0.7, 1e5]) {
        const sampler = new Sampler({ temperature, ...options });
        const requests = rows.map((_, row) => ({
          row,
          alternatives: 20,
          target: 5,
          draw: sampler.request({ seed: 7, position: row }),
        }));
        expect(await readAll(backend, rows, requests)).toEqual(inJavaScript(rows, requests));
      }
  });

  it("are the same in any order, and beside any others", async () => {
    const rows = Array.from({ length: 9 }, (_, i) => series(1000, i + 1));
    const sampler = new Sampler({ temperature: 1, topP: 0.9 });
    const requests = rows.map((_, row) => ({
      row,
      alternatives: 3,
      target: 1,
      draw: sampler.request({ seed: row, position: row }),
    }));
    const together = await readAll(backend, rows, requests);
    const backwards = await readAll(backend, rows, [...requests].reverse());
    expect([...backwards].reverse()).toEqual(together);
    for (const [i, request] of requests.entries())
      expect(await readAll(backend, rows, [request])).toEqual([together[i]]);
  });
});
