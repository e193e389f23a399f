import { inject } from "vitest";
import { RunningCluster } from "./start-cluster.js";

/**
 * Breeze on two workers, shared by all files of its project. Whoever asks it leaves it as it was: nothing running, no key,
 * no process killed.
 */
export const sharedCluster = (): RunningCluster => new RunningCluster(inject("cluster"));
