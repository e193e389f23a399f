import { z } from "zod";

/** How a simulated stage behaves. */
export interface Simulation {
  /** Whole milliseconds that a step takes on the stage; 0 = as fast as it can. */
  readonly stageMs: number;
  /** Activation bytes per row sent to the next stage; null = the model's own number. */
  readonly rowBytes: number | null;
}

const PART = /^(stage-ms|row-bytes)=(\d+)$/;

/** Reads `null`, `stage-ms=5`, `row-bytes=0` or `stage-ms=5,row-bytes=0`; null for any other text. */
export function parseSimulation(text: string): Simulation | null {
  const simulation = { stageMs: 0, rowBytes: null as number | null };
  if (text === "null") return simulation;
  for (const part of text.split(",")) {
    const [, name, value] = PART.exec(part) ?? [];
    if (name === undefined) return null;
    if (name === "stage-ms") simulation.stageMs = Number(value);
    else simulation.rowBytes = Number(value);
  }
  return simulation;
}

export const SIMULATION_SYNTAX = "null, stage-ms=<n>, row-bytes=<n> or stage-ms=<n>,row-bytes=<n>";

export const simulationSchema = z.string().transform((text, context): Simulation => {
  const simulation = parseSimulation(text);
  if (simulation !== null) return simulation;
  context.addIssue({ code: "custom", message: `must be ${SIMULATION_SYNTAX}` });
  return z.NEVER;
});
