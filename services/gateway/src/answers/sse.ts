export const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
} as const;

export const SSE_DONE = "data: [DONE]\n\n";

/** One server-sent event; `json` has no line breaks. With `id` a client can say that it had this one. */
export const sseData = (json: string, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`;
