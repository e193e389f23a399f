import type { TestProject } from "vitest/node";
import { type ClusterAddress, RunningCluster } from "./start-cluster.js";

declare module "vitest" {
  export interface ProvidedContext {
    cluster: ClusterAddress;
  }
}

/** Starts the one cluster that every file of the project asks: Breeze on one worker. Stops it after the last file. */
export async function setup(project: TestProject): Promise<() => Promise<unknown>> {
  const cluster = await RunningCluster.start(["--workers", "1", "--threads", "1"]);
  const { url, dataDir } = cluster;
  project.provide("cluster", { url, dataDir });
  return () => cluster.stop();
}
