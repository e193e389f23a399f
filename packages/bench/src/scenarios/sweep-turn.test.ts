import { expect, test } from "vitest";
import type { Point } from "../measure/measure-point.js";
import { describeTurn, summarizeTurns, type Turn } from "./sweep-turn.js";

const NO_TIME = { p50: 0, p95: 0, p99: 0 };

const point = (decodeTokensPerSecond: number, prefillTokensPerSecond: number, otherCores = 0): Point => ({
  ...{
    concurrency: 4,
    ttftMs: NO_TIME,
    itlMs: NO_TIME,
    steadySeconds: 1,
    steadyTokens: 1,
    benchCores: 0,
    inside: null,
  },
  ...{ decodeTokensPerSecond, prefillTokensPerSecond, otherCores },
});

const turn = (rhone: readonly [number, number], peer: readonly [number, number]): Turn => ({
  point: point(...rhone),
  peer: { decodeTokensPerSecond: peer[0], prefillTokensPerSecond: peer[1], kvUnified: false, otherCores: 0 },
});

test("with llama.cpp the turn with the median ratio counts, although another has the median rate", () => {
  const turns = [turn([10, 100], [20, 100]), turn([30, 90], [30, 100]), turn([20, 300], [10, 100])];
  const { decodeTokensPerSecond, decodeRuns, baseline, baselineDecodeRuns } = summarizeTurns(turns);
  expect(decodeTokensPerSecond).toBe(30);
  expect(baseline).toMatchObject({ decodeRatio: 1, prefillRatio: 1, decodeTokensPerSecond: 30 });
  expect([decodeRuns, baselineDecodeRuns]).toEqual([
    [10, 30, 20],
    [20, 30, 10],
  ]);
});

test("without llama.cpp the turn with the median rate counts", () => {
  const turns = [7, 9, 8].map((rate) => ({ point: point(rate, 1), peer: null }));
  expect(summarizeTurns(turns)).toMatchObject({ decodeTokensPerSecond: 8, baseline: null, baselineDecodeRuns: [] });
});

test("turns that others disturbed count only when there are no others", () => {
  const disturbed = [1, 2].map((rate) => ({ point: point(rate, 1, 0.4), peer: null }));
  const quiet = { point: point(9, 1, 0.05), peer: null };
  expect(summarizeTurns([...disturbed, quiet]).decodeTokensPerSecond).toBe(9);
  expect(summarizeTurns([...disturbed, quiet]).decodeRuns).toEqual([1, 2, 9]);
  expect(summarizeTurns(disturbed).decodeTokensPerSecond).toBe(1);
});

test("a line says when others took the machine", () => {
  expect(describeTurn({ point: point(5, 6), peer: null })).toBe("4 streams: decode 5.0, prefill 6.0 tokens/s");
  expect(describeTurn({ point: point(5, 6, 0.5), peer: null })).toContain("other processes used 0.50 cores");
});
