import { createHash } from "node:crypto";
import { type ChatToolCall, cannotEncode } from "./chat-message.js";
import { respaceJson } from "./python-json.js";

/**
 * A call as models see it, without its closing brace: `{"name": "f", "arguments": {"x": 1}`. Throws
 * CHAT_TEMPLATE_FAILED when the arguments are not JSON.
 */
export function callJson({ name, arguments: text }: ChatToolCall): string {
  const parsed = respaceJson(text === "" ? "{}" : text);
  if (parsed === undefined) throw cannotEncode(`the arguments of the call to ${name} are not JSON`);
  return `{"name": ${JSON.stringify(name)}, "arguments": ${parsed}`;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 9;

/**
 * A tool call's id in the form that Mistral's models know, nine letters and digits: `id` itself if it has that form,
 * otherwise a hash of it.
 */
export function mistralCallId(id: string): string {
  if (/^[a-zA-Z0-9]{9}$/.test(id)) return id;
  const digest = createHash("sha256").update(id).digest().subarray(0, LENGTH);
  return Array.from(digest, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}
