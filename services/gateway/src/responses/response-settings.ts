import type { Settings } from "@rhone/common";
import { z } from "zod";

const MiB = 1024 * 1024;
const DAY_S = 24 * 3600;
const count = (least: number) => z.coerce.number().int().min(least);

/** How responses are stored, and run in the background. */
export const responseSettings = {
  responseTtlS: {
    env: "RHONE_RESPONSE_TTL_S",
    schema: count(1)
      .max(365 * DAY_S)
      .default(30 * DAY_S),
    doc: "How long a stored response is kept, in seconds.",
  },
  responseBytes: {
    env: "RHONE_RESPONSE_BYTES",
    schema: count(4 * MiB).default(256 * MiB),
    doc:
      "Bytes of stored responses, in Redis. Beyond them the API key with the most gives up its oldest, which is gone " +
      "then.",
  },
  backgroundTimeoutMs: {
    env: "RHONE_BACKGROUND_TIMEOUT_MS",
    schema: count(1)
      .max(DAY_S * 1000)
      .default(3600_000),
    doc: "Longest time for a response in the background, queueing included, in milliseconds.",
  },
  backgroundAtOnce: {
    env: "RHONE_BACKGROUND_AT_ONCE",
    schema: count(0).max(4096).default(64),
    doc: "Most responses in the background that this gateway follows at a time; 0 leaves them to other gateways.",
  },
} as const satisfies Settings;
