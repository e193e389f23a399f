/** Paths that a batch's lines may ask for. */
export const BATCH_ENDPOINT_PATHS = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] as const;

export type BatchEndpoint = (typeof BATCH_ENDPOINT_PATHS)[number];
