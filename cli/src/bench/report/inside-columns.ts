import type { PipelineFigures } from "../figures/pipeline-figures.js";

export const INSIDE_HEADING = [
  "BUSY % by stage",
  "BUBBLE %",
  "HOP ms",
  "B/token",
  "ROWS/step",
  "DECIDE ms",
  "RECORD ms",
] as const;

export function insideCells({ stages, bubble, hopMs, bytesPerToken, rowsPerStep, coordinatorMs }: PipelineFigures) {
  return [
    stages.map(({ busy }) => percent(busy)).join(" "),
    percent(bubble),
    hopMs.toFixed(2),
    bytesPerToken.toFixed(0),
    rowsPerStep.toFixed(1),
    coordinatorMs.decide.toFixed(3),
    coordinatorMs.record.toFixed(3),
  ];
}

const percent = (share: number): string => (100 * share).toFixed(0);
