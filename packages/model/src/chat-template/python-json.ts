import { cannotEncode } from "./chat-message.js";

/** A JSON token: a string, a run of other characters between separators, a separator, or white space. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[^\s",:]+|[,:]|\s+/g;

/**
 * JSON text with the spaces and escapes of Python's `json.dumps(…, ensure_ascii=False)`, on which Mistral's models were
 * trained: `{"a":[1,2]}` becomes `{"a": [1, 2]}`. The order of keys and the digits of numbers stay. Undefined when
 * `text` is not JSON.
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

/** A value as Python would dump it. Throws CHAT_TEMPLATE_FAILED for a value that JSON cannot hold. */
export function dumpJson(value: unknown): string {
  const text = JSON.stringify(value);
  const dumped = text === undefined ? undefined : respaceJson(text);
  if (dumped === undefined) throw cannotEncode("a tool's definition is not JSON");
  return dumped;
}
