import type { Scenario } from "./scenario.js";
import { sweep } from "./scenarios/sweep.js";

/** Every scenario of `rhone bench`: one file each in scenarios/. */
export const SCENARIOS: readonly Scenario[] = [sweep];
