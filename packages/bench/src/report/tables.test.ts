import { expect, test } from "vitest";
import type { PipelineFigures } from "../figures/pipeline-figures.js";
import { insideTables, percentileCells } from "./tables.js";

const FIGURES: PipelineFigures = {
  stages: [
    { stage: 0, busy: 0.714, computeMs: 3 },
    { stage: 1, busy: 0.5, computeMs: 2 },
  ],
  bubble: 0.393,
  hopMs: 0.456,
  bytesPerToken: 256.4,
  steps: 10,
  rowsPerStep: 1.96,
  coordinatorMs: { decide: 0.05849, record: 0.044 },
};

test("the inside of a cluster is a row of rounded figures", () => {
  const [table] = insideTables("STREAMS", [["2", FIGURES]]);
  expect(table?.heading.slice(0, 3)).toEqual(["STREAMS", "BUSY % by stage", "BUBBLE %"]);
  expect(table?.rows).toEqual([["2", "71 50", "39", "0.46", "256", "2.0", "0.058", "0.044"]]);
  expect(table?.heading).toHaveLength(table?.rows[0]?.length ?? 0);
});

test("lines without figures are left out, and so is a table without lines", () => {
  const [table] = insideTables("", [
    ["alone", null],
    ["with a batch", FIGURES],
  ]);
  expect(table?.rows.map(([name]) => name)).toEqual(["with a batch"]);
  expect(insideTables("", [["alone", null]])).toEqual([]);
});

test("percentiles have one decimal", () => {
  expect(percentileCells({ p50: 1, p95: 2.25, p99: 1000.06 })).toEqual(["1.0", "2.3", "1000.1"]);
});
