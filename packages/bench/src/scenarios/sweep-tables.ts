import { insideTables, percentileCells, percentileHeading, type Table } from "../report/tables.js";
import type { SweepPoint } from "./sweep-turn.js";

/** A sweep as clients see it, the inside of the cluster, and llama.cpp. */
export function sweepTables(points: readonly SweepPoint[]): readonly (Table | string)[] {
  const inside = insideTables(
    "STREAMS",
    points.map(({ concurrency, inside: figures }) => [String(concurrency), figures]),
  );
  const peers = points.flatMap(peerCells);
  return [
    { heading: HEADING, rows: points.map(clientCells) },
    ...(inside.length > 0 ? inside : ["No figures of the stages: this machine can't reach the operations servers."]),
    ...(peers.length > 0 ? [{ heading: PEER_HEADING, rows: peers }] : []),
  ];
}

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

const coresCell = (cores: number | null): string => cores?.toFixed(2) ?? "?";
