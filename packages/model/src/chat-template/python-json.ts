import { RhoneError } from "@rhone/common";

/** One JSON token: a string, a run of anything else between separators, a separator, or white space. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[^\s",:]+|[,:]|\s+/g;

/**
 * JSON text spaced and escaped as Python's `json.dumps(…, ensure_ascii=False)` writes it, which is what Mistral's models were
 * trained on: `{"a":[1,2]}` becomes `{"a": [1, 2]}`. Keeps key order and the digits of numbers as they are.
 * Returns undefined when `text` is not JSON.
 */
export function respaceJson(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens = text.match(TOKEN) ?? [];
  return tokens.map(respaceToken).join("");
}

function respaceToken(token: string): string {
  if (token.startsWith('"')) return JSON.stringify(JSON.parse(token));
  if (token === "," || token === ":") return `${token} `;
  return token.trim();
}

/** A value as Python would dump it. Throws CHAT_TEMPLATE_FAILED for what JSON cannot hold. */
export function dumpJson(value: unknown): string {
  const text = JSON.stringify(value);
  const dumped = text === undefined ? undefined : respaceJson(text);
  if (dumped === undefined) throw new RhoneError("CHAT_TEMPLATE_FAILED", "A tool's definition is not JSON");
  return dumped;
}
