import type { MixedFigures, MixedPhase } from "../scenarios/mixed.js";
import { benchTable } from "./bench-table.js";
import { INSIDE_HEADING, insideCells } from "./inside-columns.js";
import { percentileCells, percentileHeading } from "./percentile-cells.js";

export function formatMixed({ quiet, busy, ...figures }: MixedFigures): string {
  const phases: readonly (readonly [string, MixedPhase])[] = [
    ["streams alone", quiet],
    ["with long prompts", busy],
  ];
  const heading = ["", ...percentileHeading("ITL"), "DECODE t/s", "SECONDS"];
  const rows = phases.map(([name, { itlMs, decodeTokensPerSecond, seconds }]) => {
    return [name, ...percentileCells(itlMs), decodeTokensPerSecond.toFixed(1), seconds.toFixed(1)];
  });
  const inside = phases.flatMap(([name, phase]) =>
    phase.inside === null ? [] : [[name, ...insideCells(phase.inside)]],
  );
  const ttft = figures.longTtftMs.map((ms) => ms.toFixed(0)).join(", ");
  return [
    benchTable([heading, ...rows]),
    ...(inside.length > 0 ? [benchTable([["", ...INSIDE_HEADING], ...inside])] : []),
    `long prompts: first token after ${ttft} ms, ${figures.longPrefillTokensPerSecond.toFixed(1)} prompt tokens/s`,
    `ITL p99 with long prompts / alone: ${figures.itlP99Ratio.toFixed(2)}`,
  ].join("\n\n");
}
