import type { Scenario } from "./scenario.js";
import { batch } from "./scenarios/batch.js";
import { mixed } from "./scenarios/mixed.js";
import { overhead } from "./scenarios/overhead.js";
import { prefix } from "./scenarios/prefix.js";
import { scale } from "./scenarios/scale.js";
import { speculate } from "./scenarios/speculate.js";
import { sweep } from "./scenarios/sweep.js";
import { slidingWindow } from "./scenarios/window.js";

/** Every scenario of `rhone bench`: one file each in scenarios/. */
export const SCENARIOS: readonly Scenario[] = [sweep, mixed, batch, prefix, slidingWindow, speculate, overhead, scale];
