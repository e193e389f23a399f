import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createFile, makeFolder, RhoneError } from "@rhone/common";

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
  /** The cluster's CA, on the machine that made the cluster. */
  readonly authority: string;
  /** Keys and certificates of this machine's processes. */
  readonly identity: string;
  /** The keys of machines that were expelled. */
  readonly revoked: string;
  /** The record of the running cluster. */
  readonly clusterFile: string;
  /** Why the last cluster failed. */
  readonly failureFile: string;
  /** The password of the private Redis, where it listens on a port. */
  readonly redisPassword: string;
  /** The secret by which the processes of this machine's cluster know each other. */
  readonly clusterSecret: string;
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
    authority: join(root, "authority"),
    identity: join(root, "identity"),
    revoked: join(root, "identity", "revoked"),
    clusterFile: join(run, "cluster.json"),
    failureFile: join(run, "failure.json"),
    redisPassword: join(run, "redis-password"),
    clusterSecret: join(root, "cluster-secret"),
  };
}

/**
 * Creates the folders and the cluster's secret, with access for their owner alone. Throws INVALID_CONFIG when it can't.
 */
export async function createDataDir(dataDir: DataDir): Promise<void> {
  const { root, run, logs, models, weights, storage, redis, clusterSecret } = dataDir;
  try {
    for (const folder of [root, run, logs, models, weights, storage, redis]) await makeFolder(folder, 0o700);
    await createFile(clusterSecret, `${randomBytes(32).toString("base64url")}\n`);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new RhoneError(
      "INVALID_CONFIG",
      `The data directory ${root} can't be created (${why}). Choose another with --data-dir.`,
      { cause },
    );
  }
}
