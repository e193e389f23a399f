export { type ShardWorkerConfig, shardWorkerSettings } from "./config.js";
export { startShardWorker } from "./worker.js";
