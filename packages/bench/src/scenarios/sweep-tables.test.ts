import { expect, test } from "vitest";
import type { Table } from "../report/tables.js";
import { sweepTables } from "./sweep-tables.js";
import type { SweepPoint } from "./sweep-turn.js";

const POINT: SweepPoint = {
  concurrency: 4,
  ttftMs: { p50: 10.04, p95: 11, p99: 12 },
  itlMs: { p50: 1, p95: 2, p99: 3 },
  prefillTokensPerSecond: 100.06,
  decodeTokensPerSecond: 20,
  steadySeconds: 1,
  steadyTokens: 80,
  benchCores: 0.1,
  otherCores: null,
  inside: null,
  decodeRuns: [20],
  baseline: null,
  baselineDecodeRuns: [],
};
const BASELINE = {
  ...{ prefillTokensPerSecond: 200, decodeTokensPerSecond: 25, kvUnified: false, otherCores: 0.02 },
  ...{ decodeRatio: 0.8, prefillRatio: 0.5003 },
};
const rowsOf = (block: Table | string | undefined) => (typeof block === "object" ? block.rows : []);

test("without counters and llama.cpp there is one table, and a line says what is missing", () => {
  const [clients, missing, ...rest] = sweepTables([POINT]);
  expect(rowsOf(clients)).toEqual([["4", "10.0", "11.0", "12.0", "1.0", "2.0", "3.0", "100.1", "20.0", "?"]]);
  expect(missing).toMatch(/can't reach the operations servers/);
  expect(rest).toEqual([]);
});

test("llama.cpp has a table of its own, with the ratios", () => {
  const peers = sweepTables([POINT, { ...POINT, concurrency: 8, baseline: BASELINE }]).at(-1);
  expect(rowsOf(peers)).toEqual([["8", "200.0", "25.0", "split", "0.02", "0.50", "0.80"]]);
});

test("every row is as long as its heading", () => {
  for (const block of sweepTables([{ ...POINT, baseline: BASELINE }])) {
    if (typeof block === "object") expect(block.rows.map((row) => row.length)).toEqual([block.heading.length]);
  }
});
