import type { Settings } from "@rhone/common";
import { z } from "zod";

const positive = z.coerce.number().positive();
const duration = z.coerce.number().min(0);

export const simulationSettings = {
  stages: {
    env: "RHONE_SIMULATION_STAGES",
    schema: z
      .string()
      .regex(/^[1-9]\d*(,[1-9]\d*)*$/, "must be whole numbers, separated by commas")
      .default("1,2,4,8,16,32")
      .transform((text) => text.split(",").map(Number)),
    doc: "Numbers of stages to simulate, separated by commas.",
  },
  stageMs: {
    env: "RHONE_SIMULATION_STAGE_MS",
    schema: duration.default(5),
    doc: "Milliseconds of a step on each stage.",
  },
  rowMs: {
    env: "RHONE_SIMULATION_ROW_MS",
    schema: duration.default(0),
    doc: "Milliseconds that each row adds to a step.",
  },
  hopMs: {
    env: "RHONE_SIMULATION_HOP_MS",
    schema: duration.default(0.2),
    doc: "Milliseconds of a frame from one process to the next.",
  },
  sequencesPerStage: {
    env: "RHONE_SIMULATION_SEQUENCES",
    schema: z.coerce.number().int().min(1).default(8),
    doc: "Decoding sequences per stage.",
  },
  warmUpSeconds: {
    env: "RHONE_SIMULATION_WARM_UP",
    schema: duration.default(20),
    doc: "Virtual seconds before measuring begins.",
  },
  seconds: { env: "RHONE_SIMULATION_SECONDS", schema: positive.default(10), doc: "Virtual seconds that are measured." },
} as const satisfies Settings;
