export { type GatewayConfig, gatewaySettings } from "./config.js";
export { assembleGateway, type Surroundings } from "./gateway.js";
export { createMetrics } from "./metrics.js";
