import { readCliConfig } from "../config.js";
import { clusterOptionsSchema } from "../launch/cluster-options.js";
import { ENTRY_POINTS } from "../processes/entry-points.js";
import { runCluster } from "./run-cluster.js";
import { runInBackground } from "./run-in-background.js";

// The process behind `rhone up --detach`.

await runInBackground(async ({ options, ...run }) => {
  const request = { options: clusterOptionsSchema.parse(options), config: readCliConfig(), entryPoints: ENTRY_POINTS };
  await runCluster({ ...request, ...run });
});
