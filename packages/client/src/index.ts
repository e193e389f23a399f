export { authorization, gatewayFailure } from "./ask-gateway.js";
export { type Batch, BatchClient, isOver } from "./batch-client.js";
export { fetchStatus, type GatewayStatus } from "./fetch-status.js";
export { DONE, EventReader } from "./server-sent-events.js";
export { type GenerationRequest, type Message, type Sampling, streamText } from "./stream-text.js";
