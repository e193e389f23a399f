import { createHash } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 9;

/** A tool call's id as Mistral's models know it, nine letters and digits: `id` itself if it is one, else always the same hash of it. */
export function mistralCallId(id: string): string {
  if (/^[a-zA-Z0-9]{9}$/.test(id)) return id;
  const digest = createHash("sha256").update(id).digest().subarray(0, LENGTH);
  return Array.from(digest, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}
