import { z } from "zod";

/** How a simulated stage behaves. */
export interface Simulation {
  /** How long a step takes on the stage, in whole milliseconds; 0 = no time of its own. */
  readonly stageMs: number;
  /** Activation bytes per row that it sends on; null = as many as the model's would be. */
  readonly rowBytes: number | null;
}

const PART = /^(stage-ms|row-bytes)=(\d+)$/;

/** `null`, or what differs from it: `stage-ms=5`, `row-bytes=0`, `stage-ms=5,row-bytes=0`. */
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
