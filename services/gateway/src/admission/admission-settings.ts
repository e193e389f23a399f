import { isIP } from "node:net";
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

/** Names of the loopback, link-local and private networks. */
const NETWORKS = ["loopback", "linklocal", "uniquelocal"];

/** Of an address, by its family. */
const BITS = new Map([
  [4, 32],
  [6, 128],
]);

/** An address, or a network in CIDR's notation, or one of the names. */
function isNetwork(text: string): boolean {
  const [address = "", bits = "0", ...rest] = text.split("/");
  const most = BITS.get(isIP(address)) ?? -1;
  return NETWORKS.includes(text) || (rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most);
}

const networksSchema = z
  .string()
  .default("")
  .transform((list) => list.split(",").flatMap((name) => name.trim() || []))
  .refine((list) => list.every(isNetwork), `must be addresses, networks such as 10.0.0.0/8, or ${NETWORKS.join(", ")}`);

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
  trustedProxies: {
    env: "RHONE_TRUSTED_PROXIES",
    schema: networksSchema,
    doc:
      "Addresses or networks of proxies whose X-Forwarded-For tells a client's address, by which wrong API keys are " +
      "counted, separated by commas; loopback, linklocal and uniquelocal name networks. Otherwise a proxy's clients " +
      "share its address.",
    defaultText: "none",
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
