export const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
} as const;

export const SSE_DONE = "data: [DONE]\n\n";

/** One server-sent event. */
export const sseData = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
