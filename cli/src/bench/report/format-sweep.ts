import type { SweepPoint } from "../sweep-turn.js";
import { benchTable } from "./bench-table.js";
import { INSIDE_HEADING, insideCells } from "./inside-columns.js";
import { percentileCells, percentileHeading } from "./percentile-cells.js";

const HEADING = [
  "STREAMS",
  ...percentileHeading("TTFT"),
  ...percentileHeading("ITL"),
  "PREFILL t/s",
  "DECODE t/s",
  "OTHERS cores",
];
const PEER_HEADING = [
  "STREAMS",
  "llama.cpp PREFILL t/s",
  "DECODE t/s",
  "K/V",
  "OTHERS cores",
  "rhone/llama.cpp PREFILL",
  "DECODE",
];

/** A sweep as tables: what clients see, what went on inside, and the peer. */
export function formatSweep(points: readonly SweepPoint[]): string {
  const tables = [benchTable([HEADING, ...points.map(clientCells)])];
  const inside = points.flatMap(({ concurrency, inside: figures }) =>
    figures === null ? [] : [[String(concurrency), ...insideCells(figures)]],
  );
  if (inside.length > 0) tables.push(benchTable([["STREAMS", ...INSIDE_HEADING], ...inside]));
  else tables.push("No figures of the stages: the operations servers are out of reach from here.");
  const peers = points.flatMap(peerCells);
  if (peers.length > 0) tables.push(benchTable([PEER_HEADING, ...peers]));
  return tables.join("\n\n");
}

function clientCells(point: SweepPoint): string[] {
  const { concurrency, ttftMs, itlMs, prefillTokensPerSecond, decodeTokensPerSecond, otherCores } = point;
  return [
    String(concurrency),
    ...percentileCells(ttftMs),
    ...percentileCells(itlMs),
    prefillTokensPerSecond.toFixed(1),
    decodeTokensPerSecond.toFixed(1),
    coresCell(otherCores),
  ];
}

const coresCell = (cores: number | null): string => cores?.toFixed(2) ?? "?";

function peerCells({ concurrency, baseline }: SweepPoint): string[][] {
  if (baseline === null) return [];
  const { prefillTokensPerSecond, decodeTokensPerSecond, kvUnified, otherCores, prefillRatio, decodeRatio } = baseline;
  return [
    [
      String(concurrency),
      prefillTokensPerSecond.toFixed(1),
      decodeTokensPerSecond.toFixed(1),
      kvUnified ? "unified" : "split",
      coresCell(otherCores),
      prefillRatio.toFixed(2),
      decodeRatio.toFixed(2),
    ],
  ];
}
