import { inject } from "vitest";
import { RunningCluster } from "./start-cluster.js";

/** Breeze on one worker, shared by all files of the project. Tests leave it idle, with every process alive. */
export const sharedCluster = (): RunningCluster => new RunningCluster(inject("cluster"));
