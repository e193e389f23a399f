export {
  authorization,
  fetchStatus,
  type GatewayCredentials,
  type GatewayStatus,
  gatewayFailure,
} from "./ask-gateway.js";
export { type Batch, BatchClient, isOver } from "./batch-client.js";
export { FileClient, type StoredFile } from "./file-client.js";
export type { Page, PageQuery } from "./gateway-client.js";
export { DONE, EventReader } from "./server-sent-events.js";
export { type GenerationRequest, type Message, type Sampling, streamText, type Usage } from "./stream-text.js";
