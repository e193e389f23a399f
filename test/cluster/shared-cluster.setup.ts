import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { RunningCluster } from "./start-cluster.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** Data directory of the cluster that every file of the project asks. */
    sharedCluster: string;
  }
}

/**
 * Gives the project's files a data directory and stops the cluster in it after the last of them. The first file starts
 * it (shared-cluster.ts): setups run when the suite begins, and for the minutes until these files run, an idle cluster
 * would take 4 % of a core from the others.
 */
export function setup(project: TestProject): () => Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "rhone-system-"));
  project.provide("sharedCluster", dataDir);
  return () => new RunningCluster({ url: "", dataDir }).stop();
}
