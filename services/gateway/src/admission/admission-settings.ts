import type { Settings } from "@rhone/common";
import { z } from "zod";

/** auto: keys are required unless only this machine can reach the gateway. */
export const AUTH_MODES = ["auto", "keys", "off"] as const;
export type AuthMode = (typeof AUTH_MODES)[number];

const DAY_S = 24 * 3600;
const MiB = 1024 * 1024;
const count = (least: number) => z.coerce.number().int().min(least);

/** null = no limit. */
const limitSchema = count(0)
  .default(0)
  .transform((limit) => (limit === 0 ? null : limit));

/** Who may ask, and how much. */
export const admissionSettings = {
  auth: {
    env: "RHONE_AUTH",
    schema: z.enum(AUTH_MODES).default("auto"),
    doc: "keys = requests need an API key; off = they do not; auto = they do unless --host is a loopback address.",
  },
  keysCommand: {
    env: "RHONE_KEYS_COMMAND",
    schema: z.string().min(1).default("rhone keys create NAME"),
    doc: "Command that makes an API key, for the log, and for callers on this machine while there are no keys.",
  },
  requestsPerMinute: {
    env: "RHONE_REQUESTS_PER_MINUTE",
    schema: limitSchema,
    doc: "Requests per minute for each caller whose key has no limit of its own; 0 = no limit.",
    defaultText: "0",
  },
  tokensPerMinute: {
    env: "RHONE_TOKENS_PER_MINUTE",
    schema: limitSchema,
    doc: "Prompt and answer tokens per minute for each caller whose key has no limit of its own; 0 = no limit.",
    defaultText: "0",
  },
  wrongKeysPerMinute: {
    env: "RHONE_WRONG_KEYS_PER_MINUTE",
    schema: count(1).default(100),
    doc:
      "Wrong API keys per minute from one address, or from one IPv6 network (/64); further ones that were never valid " +
      "here are refused unseen.",
  },
  idempotencyTtlS: {
    env: "RHONE_IDEMPOTENCY_TTL_S",
    schema: count(60)
      .max(7 * DAY_S)
      .default(DAY_S),
    doc: "Seconds for which the answer to an Idempotency-Key is kept.",
  },
  idempotencyBytes: {
    env: "RHONE_IDEMPOTENCY_BYTES",
    schema: count(4 * MiB).default(256 * MiB),
    doc:
      "Bytes of the answers to Idempotency-Keys, in Redis. Beyond them the API key with the most gives up its oldest, " +
      "whose requests are generated again when they are repeated.",
  },
} as const satisfies Settings;
