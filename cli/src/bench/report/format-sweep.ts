import { formatTable } from "../../terminal/table.js";
import type { Percentiles } from "../figures/percentiles.js";
import type { SweepPoint } from "../scenarios/sweep.js";
import { INSIDE_HEADING, insideCells } from "./inside-columns.js";

const HEADING = ["STREAMS", "TTFT p50", "p95", "p99 ms", "ITL p50", "p95", "p99 ms", "PREFILL t/s", "DECODE t/s"];
const PEER_HEADING = ["STREAMS", "llama.cpp PREFILL t/s", "DECODE t/s", "K/V", "rhone/llama.cpp PREFILL", "DECODE"];

/** A sweep as tables: what clients see, what went on inside, and the peer. */
export function formatSweep(points: readonly SweepPoint[]): string {
  const tables = [table([HEADING, ...points.map(clientCells)])];
  const inside = points.flatMap(({ concurrency, inside: figures }) =>
    figures === null ? [] : [[String(concurrency), ...insideCells(figures)]],
  );
  if (inside.length > 0) tables.push(table([["STREAMS", ...INSIDE_HEADING], ...inside]));
  else tables.push("No figures of the stages: the operations servers are out of reach from here.");
  const peers = points.flatMap(peerCells);
  if (peers.length > 0) tables.push(table([PEER_HEADING, ...peers]));
  return tables.join("\n\n");
}

const table = (rows: readonly (readonly string[])[]): string => formatTable(rows, [...(rows[0] ?? []).keys()]);

function clientCells(point: SweepPoint): string[] {
  const { concurrency, ttftMs, itlMs, prefillTokensPerSecond, decodeTokensPerSecond } = point;
  return [
    String(concurrency),
    ...percentileCells(ttftMs),
    ...percentileCells(itlMs),
    prefillTokensPerSecond.toFixed(1),
    decodeTokensPerSecond.toFixed(1),
  ];
}

const percentileCells = ({ p50, p95, p99 }: Percentiles): string[] => [p50, p95, p99].map((ms) => ms.toFixed(1));

function peerCells({ concurrency, baseline }: SweepPoint): string[][] {
  if (baseline === null) return [];
  const { prefillTokensPerSecond, decodeTokensPerSecond, kvUnified, prefillRatio, decodeRatio } = baseline;
  return [
    [
      String(concurrency),
      prefillTokensPerSecond.toFixed(1),
      decodeTokensPerSecond.toFixed(1),
      kvUnified ? "unified" : "split",
      prefillRatio.toFixed(2),
      decodeRatio.toFixed(2),
    ],
  ];
}
