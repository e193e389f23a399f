import { z } from "zod";

/** How a simulated stage behaves. */
export interface Simulation {
  /** Whole milliseconds that a step takes on the stage; 0 = as fast as it can. */
  readonly stageMs: number;
  /** Whole microseconds that each row adds to that. */
  readonly rowUs: number;
  /** Activation bytes per row sent to the next stage; null = the model's own number. */
  readonly rowBytes: number | null;
}

const NAMES = { "stage-ms": "stageMs", "row-us": "rowUs", "row-bytes": "rowBytes" } as const;
const PART = /^(stage-ms|row-us|row-bytes)=(\d+)$/;

/** Reads `null`, or one or several of `stage-ms=5,row-us=200,row-bytes=0`; null for any other text. */
export function parseSimulation(text: string): Simulation | null {
  const simulation = { stageMs: 0, rowUs: 0, rowBytes: null as number | null };
  if (text === "null") return simulation;
  for (const part of text.split(",")) {
    const [, name, value] = PART.exec(part) ?? [];
    if (name === undefined) return null;
    simulation[NAMES[name as keyof typeof NAMES]] = Number(value);
  }
  return simulation;
}

export const SIMULATION_SYNTAX = "null, or stage-ms=<n>, row-us=<n> and row-bytes=<n>, separated by commas";

export const simulationSchema = z.string().transform((text, context): Simulation => {
  const simulation = parseSimulation(text);
  if (simulation !== null) return simulation;
  context.addIssue({ code: "custom", message: `must be ${SIMULATION_SYNTAX}` });
  return z.NEVER;
});
