import type { OverheadFigures } from "../scenarios/overhead.js";
import { benchTable } from "./bench-table.js";
import { INSIDE_HEADING, insideCells } from "./inside-columns.js";

export function formatOverhead(figures: OverheadFigures): string {
  const { streams, tokensPerSecond, clientTokensPerSecond, tokensPerChunk, processes, inside } = figures;
  const rates = [tokensPerSecond.toFixed(0), clientTokensPerSecond.toFixed(0), tokensPerChunk.toFixed(2)];
  const tables = [
    benchTable([
      ["STREAMS", "TOKENS/s", "at the client", "TOKENS/chunk"],
      [String(streams), ...rates],
    ]),
  ];
  if (inside !== null) tables.push(benchTable([[...INSIDE_HEADING], [...insideCells(inside)]]));
  if (processes === null) return tables.join("\n\n");
  const rows = processes.map(({ name, cores, microsecondsPerToken }) => row(name, cores, microsecondsPerToken));
  const sum = (key: "cores" | "microsecondsPerToken") => processes.reduce((total, each) => total + each[key], 0);
  const all = row("all", sum("cores"), sum("microsecondsPerToken"));
  return [...tables, benchTable([["PROCESS", "CORES", "µs CPU/token"], ...rows, all])].join("\n\n");
}

const row = (name: string, cores: number, microseconds: number): string[] => [
  name,
  cores.toFixed(2),
  microseconds.toFixed(1),
];
