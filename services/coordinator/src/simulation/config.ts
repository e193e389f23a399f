import type { Settings } from "@rhone/common";
import { z } from "zod";

const positive = z.coerce.number().positive();

export const simulationSettings = {
  stages: {
    env: "RHONE_SIMULATION_STAGES",
    schema: z
      .string()
      .regex(/^[1-9]\d*(,[1-9]\d*)*$/, "must be whole numbers, separated by commas")
      .default("1,2,4,8,16,32")
      .transform((text) => text.split(",").map(Number)),
    doc: "Numbers of stages.",
  },
  stageMs: { env: "RHONE_SIMULATION_STAGE_MS", schema: positive.default(5), doc: "What a step takes on each stage." },
  hopMs: {
    env: "RHONE_SIMULATION_HOP_MS",
    schema: z.coerce.number().min(0).default(0.2),
    doc: "What a frame takes from one process to the next.",
  },
  sequencesPerStage: {
    env: "RHONE_SIMULATION_SEQUENCES",
    schema: z.coerce.number().int().min(1).default(8),
    doc: "Sequences that decode, per stage.",
  },
  warmUpSeconds: {
    env: "RHONE_SIMULATION_WARM_UP",
    schema: z.coerce.number().min(0).default(2),
    doc: "Virtual seconds that are passed over.",
  },
  seconds: { env: "RHONE_SIMULATION_SECONDS", schema: positive.default(10), doc: "Virtual seconds that are measured." },
} as const satisfies Settings;
