/** What a cluster's processes and threads run, by its path from the root; the build writes a bundle beside each. */
export const BUNDLED_ENTRIES = [
  "cli/dist/rhone.js",
  "cli/dist/cluster/supervisor-main.js",
  "cli/dist/membership/member-main.js",
  "cli/dist/redis/redis-host.js",
  "packages/common/dist/grpc/heartbeat-thread.js",
  "services/coordinator/dist/main.js",
  "services/gateway/dist/main.js",
  "services/gateway/dist/text/encoder-thread-main.js",
  "services/shard-worker/dist/main.js",
  "services/shard-worker/dist/calibrate-main.js",
];

/** Started by its own path, and bundled in the package alone, which has no other modules. */
export const PLAIN_ENTRIES = ["services/coordinator/dist/simulation/main.js"];
