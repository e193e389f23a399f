import { fileURLToPath } from "node:url";

/** The JavaScript files of the processes of a cluster. */
export interface EntryPoints {
  readonly redisHost: string;
  readonly coordinator: string;
  readonly shardWorker: string;
  readonly gateway: string;
}

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Those of this repository, found from `cli/dist/cluster`. */
export const ENTRY_POINTS: EntryPoints = {
  redisHost: fromHere("../redis/redis-host.js"),
  coordinator: fromHere("../../../services/coordinator/dist/main.js"),
  shardWorker: fromHere("../../../services/shard-worker/dist/main.js"),
  gateway: fromHere("../../../services/gateway/dist/main.js"),
};

/** The JavaScript file of the coordinator's simulation on a virtual clock, which `rhone bench scale` runs. */
export const SIMULATION_ENTRY = fromHere("../../../services/coordinator/dist/simulation/main.js");

/** The JavaScript file of the process that times layers for `rhone plan`. */
export const CALIBRATION_ENTRY = fromHere("../../../services/shard-worker/dist/calibrate-main.js");
