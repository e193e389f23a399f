import type { ScaleFigures, ScalePoint } from "../scenarios/scale.js";
import { benchTable } from "./bench-table.js";

const HEADING = ["STAGES", "SEQUENCES", "STEPS/s", "ROWS/step", "ROWS/s", "of a busy stage"];

export function formatScale(
  { virtual, processes }: ScaleFigures,
  { stageMs, rowMs, hopMs }: { readonly stageMs: number; readonly rowMs: number; readonly hopMs: number },
): string {
  const tables = [
    `virtual clock: ${stageMs} ms per step and stage, ${rowMs} ms per row, ${hopMs} ms per hop`,
    benchTable([HEADING, ...virtual.map(cells)]),
  ];
  if (processes.length === 0) return tables.join("\n\n");
  const rows = processes.map((point) => [...cells(point), point.stageMs.toFixed(2), point.hopMs.toFixed(2)]);
  const heading = [...HEADING, "STAGE ms", "HOP ms"];
  return [...tables, "processes on this machine, times as measured", benchTable([heading, ...rows])].join("\n\n");
}

const cells = ({ stages, sequences, stepsPerSecond, rowsPerStep, rowsPerSecond, share }: ScalePoint): string[] => [
  String(stages),
  String(sequences),
  stepsPerSecond.toFixed(1),
  rowsPerStep.toFixed(2),
  rowsPerSecond.toFixed(0),
  `${(100 * share).toFixed(1)} %`,
];
