import { fileURLToPath } from "node:url";

/** The JavaScript files of a cluster's processes: bundles (scripts/bundle.mjs), which start sooner. */
export interface EntryPoints {
  readonly redisHost: string;
  readonly coordinator: string;
  readonly shardWorker: string;
  readonly gateway: string;
}

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const service = (path: string): string => fromHere(`../../../services/${path}`);

/** Found from `cli/dist/processes`. */
export const ENTRY_POINTS: EntryPoints = {
  redisHost: fromHere("../redis/redis-host.bundle.js"),
  coordinator: service("coordinator/dist/main.bundle.js"),
  shardWorker: service("shard-worker/dist/main.bundle.js"),
  gateway: service("gateway/dist/main.bundle.js"),
};

/** This command, for benches that run it elsewhere. */
export const CLI_ENTRY = fromHere("../rhone.bundle.js");

/** Runs a cluster in the background, for `rhone up --detach`. */
export const SUPERVISOR_ENTRY = fromHere("../cluster/supervisor-main.bundle.js");

/** Runs a member of another machine's cluster in the background, for `rhone join --detach`. */
export const MEMBER_ENTRY = fromHere("../membership/member-main.bundle.js");

/** The coordinator's scheduler on a virtual clock, for `rhone bench scale`. */
export const SIMULATION_ENTRY = service("coordinator/dist/simulation/main.js");

/** Times a model's layers, for `rhone plan`. */
export const CALIBRATION_ENTRY = service("shard-worker/dist/calibrate-main.bundle.js");
