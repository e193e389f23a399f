import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common";

/** Where everything lies that Rhone keeps outside its repository. */
export interface DataDir {
  readonly root: string;
  /** State of the cluster that runs now. */
  readonly run: string;
  readonly logs: string;
  readonly models: string;
  /** Uploaded files and batches. */
  readonly storage: string;
  /** What the private Redis keeps on disk. */
  readonly redis: string;
  /** The record of the running cluster. */
  readonly clusterFile: string;
  /** Why the last cluster ended by itself. */
  readonly failureFile: string;
}

export function dataDirAt(root: string): DataDir {
  const run = join(root, "run");
  return {
    root,
    run,
    logs: join(root, "logs"),
    models: join(root, "models"),
    storage: join(root, "storage"),
    redis: join(root, "redis"),
    clusterFile: join(run, "cluster.json"),
    failureFile: join(run, "failure.json"),
  };
}

/** Creates the folders, readable by their owner alone. Throws INVALID_CONFIG where that is impossible. */
export async function createDataDir({ root, run, logs, models, storage, redis }: DataDir): Promise<void> {
  try {
    for (const folder of [root, run, logs, models, storage, redis])
      await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = (cause as Error).message;
    throw new RhoneError(
      "INVALID_CONFIG",
      `The data directory ${root} can't be made: ${why}; choose another with --data-dir.`,
      { cause },
    );
  }
}
