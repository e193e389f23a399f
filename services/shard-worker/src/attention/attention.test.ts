import { GgmlType, Graph } from "@rhone/ggml";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { Pages, PageTable } from "../kv-cache/pages.js";
import { AttentionMachine, HEAD_DIM, PAGE_SIZE, PAGES } from "../testing/attention-machine.js";
import { attention, worstDifference } from "../testing/plain-math.js";
import { openTestBackend } from "../testing/test-backend.js";
import { type AttentionSpan, type PlanAttention, StepInputs } from "./attention.js";
import { GatherAttention } from "./gather-attention.js";
import { PagedAttention } from "./paged-attention.js";

const { backend } = openTestBackend();
const graph = Graph.open(backend);
afterAll(() => {
  graph.close();
  backend.close();
});

/** Every way to attend that this machine has passes every test; RHONE_KERNELS chooses the kernels. */
const IMPLEMENTATIONS: readonly { readonly implementation: string; readonly plan: PlanAttention }[] = [
  { implementation: "gather", plan: (graph, spans, options) => new GatherAttention(graph, spans, options) },
  ...(graph.kernels === undefined ? [] : [{ implementation: "kernels", plan: withKernels as PlanAttention }]),
];

function withKernels(...[graph, spans, options]: Parameters<PlanAttention>): ReturnType<PlanAttention> {
  const planned = PagedAttention.plan(graph, spans, options);
  if (planned === undefined) throw new Error("the kernels do not attend with these heads");
  return planned;
}

/** Pages in an order of their own, so that no sequence's pages follow each other. */
const scattered = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => (first + i * 11) % PAGES);
const ones = (count: number, of = 1): readonly (readonly number[])[] =>
  Array.from({ length: count }, () => Array.from({ length: of }, () => 1));

describe.each(IMPLEMENTATIONS)("$implementation", ({ plan }) => {
  function open(nKvHeads: number, slidingWindow: number, type?: GgmlType): AttentionMachine {
    const machine = new AttentionMachine({
      backend,
      graph,
      plan,
      nKvHeads,
      slidingWindow,
      ...(type !== undefined && { type }),
    });
    onTestFinished(() => machine.close());
    return machine;
  }

  describe.each([
    { nKvHeads: 4, name: "a K/V head per query head" },
    { nKvHeads: 2, name: "two query heads per K/V head" },
    { nKvHeads: 1, name: "one K/V head" },
  ])("$name", ({ nKvHeads }) => {
    // A window that sees one position, less than a page, exactly a page, a page and a position, and more than there is.
    test.each([0, 1, 5, 8, 9, 100])("window %d: chunks and single rows of one sequence", async (window) => {
      const machine = open(nKvHeads, window);
      const sequence = machine.sequence(30, 1, scattered(0, 4));
      expect(await machine.worstOf([sequence], [[13], [3], ...ones(9), [5]])).toBeLessThan(1e-5);
    });
  });

  test.each([0, 9])("sequences of different lengths attend side by side, window %d", async (window) => {
    const machine = open(2, window);
    const lengths = [40, 12, 33, 9];
    const sequences = lengths.map((length, i) => machine.sequence(length, i + 1, scattered(i, 5)));
    const steps = [[32, 4, 25, 1], ...ones(8, 4)];
    expect(await machine.worstOf(sequences, steps)).toBeLessThan(1e-5);
  });

  test.each([63, 64, 65])("a chunk of %d rows, on both sides of ggml's tiled path", async (count) => {
    const machine = open(2, 0);
    expect(await machine.worstOf([machine.sequence(count + 2, 1, scattered(0, 9))], [[count], [2]])).toBeLessThan(1e-5);
  });

  test("consecutive pages are read in place and give the same rows", async () => {
    const machine = open(2, 10);
    const inPlace = machine.sequence(30, 1, [4, 5, 6, 7]);
    const gathered = { ...inPlace, table: machine.sequence(30, 1, [40, 20, 30, 10]).table };
    const rows = [];
    for (const of of [inPlace, gathered]) {
      await machine.step([{ of, position: 0, count: 29 }]);
      rows.push(await machine.step([{ of, position: 29, count: 1 }]));
    }
    expect(rows[0]).toEqual(rows[1]);
  });

  test.each([
    ["f16", GgmlType.F16, 2e-3],
    ["q8_0", GgmlType.Q8_0, 2e-2],
  ] as const)("%s pages keep what their rounding allows", async (_, type, tolerance) => {
    const machine = open(2, 20, type);
    const sequences = [machine.sequence(30, 1, scattered(0, 4)), machine.sequence(26, 2, scattered(5, 4))];
    expect(await machine.worstOf(sequences, [[20, 20], ...ones(6, 2), [4, 0]])).toBeLessThan(tolerance);
  });

  test("K and V are written even when nothing reads the step's result", async () => {
    const machine = open(2, 0);
    const of = machine.sequence(12, 1, scattered(0, 2));
    await machine.step([{ of, position: 0, count: 11 }], { reads: false });
    const [row = []] = (await machine.step([{ of, position: 11, count: 1 }])).map((rows) => rows[0] ?? []);
    const expected = attention(of.q, of, { headDim: HEAD_DIM, slidingWindow: 0 });
    expect(worstDifference([row], expected.slice(11))).toBeLessThan(1e-5);
  });

  describe("a span is refused", () => {
    const describeSpan = (span: AttentionSpan) => {
      const shape = { layers: [3], pages: 4, pageSize: PAGE_SIZE, kvDim: HEAD_DIM, type: GgmlType.F32 };
      const pages = Pages.open(backend, shape);
      onTestFinished(() => pages.close());
      graph.reset();
      const config = { nHeads: 1, headDim: HEAD_DIM, slidingWindow: 8 };
      return () => plan(graph, [span], { inputs: new StepInputs(graph), pages, config });
    };

    test("when it sees a page that was freed", () => {
      const table = new PageTable(PAGE_SIZE);
      table.append([0, 1, 2]);
      // Position 20 with window 8 sees positions from 13 on, in page 1.
      expect(describeSpan({ position: 20, count: 1, firstPage: 2, table })).toThrow(
        "Position 20 sees page 1 of its sequence, but the pages before 2 were freed.",
      );
      expect(describeSpan({ position: 23, count: 1, firstPage: 2, table })).not.toThrow();
    });

    test("when its sequence has no page for its rows", () => {
      const table = new PageTable(PAGE_SIZE);
      table.append([0]);
      expect(describeSpan({ position: 7, count: 2, firstPage: 0, table })).toThrow(
        "A step reaches page 1 of a sequence that has 1 pages.",
      );
    });
  });
});

test("fills what the computation needs, with the bytes as they are at that time, and leaves the rest", async () => {
  graph.reset();
  const inputs = new StepInputs(graph);
  const numbers = Float32Array.of(1, 2, 3);
  const a = inputs.add(GgmlType.F32, [3], numbers);
  inputs.add(GgmlType.F32, [3], Float32Array.of(7, 7, 7));
  const sum = graph.output(graph.add(a, a));
  graph.allocate();
  numbers[2] = 5;
  inputs.fill();
  await backend.compute(graph);
  expect([...graph.read(sum, new Float32Array(3))]).toEqual([2, 4, 10]);
});

test("data of another size than its input is refused", () => {
  graph.reset();
  const inputs = new StepInputs(graph);
  graph.output(graph.add(inputs.add(GgmlType.F32, [3], Float32Array.of(1, 2)), graph.input(GgmlType.F32, [3])));
  graph.allocate();
  expect(() => inputs.fill()).toThrow(/12 bytes; 8/);
});
