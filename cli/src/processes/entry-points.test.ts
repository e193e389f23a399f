import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { CALIBRATION_ENTRY, ENTRY_POINTS, SIMULATION_ENTRY, SUPERVISOR_ENTRY } from "./entry-points.js";

const built = (path: string): string => path.replace("/cli/src/", "/cli/dist/");

test.each(Object.entries({ ...ENTRY_POINTS, SUPERVISOR_ENTRY, SIMULATION_ENTRY, CALIBRATION_ENTRY }))(
  "the build has %s",
  (_, path) => expect(existsSync(built(path)), path).toBe(true),
);
