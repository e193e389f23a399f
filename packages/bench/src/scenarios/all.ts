import type { Scenario } from "../scenario.js";
import { batch } from "./batch.js";
import { chaos } from "./chaos.js";
import { heldUp } from "./held-up.js";
import { kernels } from "./kernels.js";
import { mixed } from "./mixed.js";
import { overhead } from "./overhead.js";
import { prefix } from "./prefix.js";
import { scale } from "./scale.js";
import { scrapes } from "./scrapes.js";
import { soak } from "./soak.js";
import { speculate } from "./speculate.js";
import { sweep } from "./sweep.js";
import { slidingWindow } from "./window.js";

/** Every scenario of `rhone bench`, in the order of its help. */
export const SCENARIOS: readonly Scenario[] = [
  sweep,
  mixed,
  batch,
  prefix,
  slidingWindow,
  speculate,
  overhead,
  scale,
  scrapes,
  heldUp,
  chaos,
  soak,
  kernels,
];
