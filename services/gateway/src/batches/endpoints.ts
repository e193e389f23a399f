import type { GatewayDeps } from "../gateway-deps.js";
import { prepareChat } from "../requests/prepare-chat.js";
import { prepareCompletion } from "../requests/prepare-completion.js";
import { prepareEmbeddings } from "../requests/prepare-embeddings.js";
import type { Arrival, PreparedRequest } from "../requests/prepared-request.js";
import type { BatchEndpoint } from "./endpoint-paths.js";

type Prepare = (deps: GatewayDeps, body: unknown, arrival: Arrival) => Promise<PreparedRequest>;

/** What a batch's lines may ask for: the same code reads them as reads single requests. */
export const BATCH_ENDPOINTS = {
  "/v1/chat/completions": prepareChat,
  "/v1/completions": prepareCompletion,
  "/v1/embeddings": prepareEmbeddings,
} as const satisfies Record<BatchEndpoint, Prepare>;
