import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** Per minute, for all keys of one name together. null = the gateway's default; 0 = no limit. */
const limitSchema = z.number().int().min(0).nullable();

/** The stored part of a key. The secret is shown once and stored nowhere. */
export const apiKeySchema = z.object({
  id: z.string(),
  /** The owner. Files, fair shares and limits belong to the name, so a second key of the name can replace the first. */
  name: z.string(),
  /** SHA-256 of the secret, in hexadecimal. */
  digest: z.string(),
  requestsPerMinute: limitSchema,
  tokensPerMinute: limitSchema,
  /** Unix seconds. */
  createdAt: z.number().int(),
});
export type ApiKey = Readonly<z.infer<typeof apiKeySchema>>;

/** Names are shown in lists and are part of Redis keys. */
export const apiKeyNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, "must be 1 to 64 letters, digits, _, . or -, the first a letter or digit");

const SECRET = /^rhone_sk_([0-9a-f]{12})_[\w-]{43}$/;

type AboutKey = Pick<ApiKey, "name" | "requestsPerMinute" | "tokensPerMinute">;

/** Makes a key and its secret: `rhone_sk_`, the key's id, and 256 random bits. */
export function newApiKey(
  about: AboutKey,
  nowMs: number = Date.now(),
): { readonly key: ApiKey; readonly secret: string } {
  const id = randomBytes(6).toString("hex");
  const secret = `rhone_sk_${id}_${randomBytes(32).toString("base64url")}`;
  return { key: keyOf(id, secret, about, nowMs), secret };
}

/** The key of a secret that was made before, for another cluster; null for text that is none. */
export function apiKeyOf(secret: string, about: AboutKey, nowMs: number = Date.now()): ApiKey | null {
  const id = apiKeyIdOf(secret);
  return id === null ? null : keyOf(id, secret, about, nowMs);
}

const keyOf = (id: string, secret: string, about: AboutKey, nowMs: number): ApiKey => ({
  id,
  ...about,
  digest: digestOf(secret),
  createdAt: Math.floor(nowMs / 1000),
});

/** The id in a secret; null for text that does not have the form of a secret. */
export const apiKeyIdOf = (secret: string): string | null => SECRET.exec(secret)?.[1] ?? null;

/** Whether `secret` is the key's. Takes the same time wherever the two differ. */
export function isSecretOf(secret: string, { digest }: ApiKey): boolean {
  const [given, kept] = [Buffer.from(digestOf(secret), "hex"), Buffer.from(digest, "hex")];
  return given.length === kept.length && timingSafeEqual(given, kept);
}

/** A fast hash is enough: 256 random bits cannot be guessed. */
const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");
