export { type GatewayConfig, gatewaySettings } from "./config.js";
export type { GatewayDeps } from "./gateway-deps.js";
export { buildServer } from "./http/server.js";
export { createMetrics, type Metrics } from "./metrics.js";
export type { ClusterState } from "./queue/cluster-state.js";
export type { GenerationClient } from "./queue/generation-client.js";
export type { TextModel } from "./text/text-model.js";
