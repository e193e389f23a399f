import { join } from "node:path";
import { makeFolder, RhoneError } from "@rhone/common";

/** The folders and files that Rhone keeps outside its repository. */
export interface DataDir {
  readonly root: string;
  /** State of the running cluster. */
  readonly run: string;
  readonly logs: string;
  readonly models: string;
  /** Weights that were fetched from other machines. */
  readonly weights: string;
  /** Uploaded files and batches. */
  readonly storage: string;
  /** The append-only file of the private Redis. */
  readonly redis: string;
  /** The record of the running cluster. */
  readonly clusterFile: string;
  /** Why the last cluster failed. */
  readonly failureFile: string;
}

export function dataDirAt(root: string): DataDir {
  const run = join(root, "run");
  return {
    root,
    run,
    logs: join(root, "logs"),
    models: join(root, "models"),
    weights: join(root, "weights"),
    storage: join(root, "storage"),
    redis: join(root, "redis"),
    clusterFile: join(run, "cluster.json"),
    failureFile: join(run, "failure.json"),
  };
}

/** Creates the folders, with access for their owner alone. Throws INVALID_CONFIG when it can't. */
export async function createDataDir({ root, run, logs, models, weights, storage, redis }: DataDir): Promise<void> {
  try {
    for (const folder of [root, run, logs, models, weights, storage, redis]) await makeFolder(folder, 0o700);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new RhoneError(
      "INVALID_CONFIG",
      `The data directory ${root} can't be created (${why}). Choose another with --data-dir.`,
      { cause },
    );
  }
}
