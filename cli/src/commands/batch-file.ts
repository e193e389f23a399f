import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { RhoneError } from "@rhone/common";

/** What a file of requests asks for, by its first line. */
export interface BatchFile {
  /** openai: each line names the endpoint; mistral: none does, and the batch names it. */
  readonly format: "openai" | "mistral";
  readonly endpoint: string;
}

/** The endpoint of a request with this field; the first that a body has counts. */
const ENDPOINTS = [
  ["messages", "/v1/chat/completions"],
  ["prompt", "/v1/completions"],
  ["input", "/v1/embeddings"],
] as const;

/**
 * Reads the first line of a JSONL file that is not blank. `endpoint`: the one that was asked for, which wins. Throws
 * INVALID_REQUEST, with what the line should be, when the file can't be read or its first line is no request.
 */
export async function readBatchFile(path: string, endpoint?: string): Promise<BatchFile> {
  const text = await firstLine(path).catch((cause: unknown) => {
    throw new RhoneError("INVALID_REQUEST", whyUnreadable(path, cause as NodeJS.ErrnoException), { cause });
  });
  if (text === undefined)
    throw new RhoneError("INVALID_REQUEST", `${path} is empty; a line of it is ${exampleLine()}.`);
  const line = parseObject(text);
  if (line === null) throw refused(path, `is not a JSON object; a line is ${exampleLine()}`);
  const { url, method, body } = line;
  const fits = endpointOf(isObject(body) ? body : line);
  if (typeof url === "string") return { format: "openai", endpoint: endpoint ?? pathOf(url, { path, fits }) };
  if (!isObject(body)) {
    const whole = fits === undefined ? "has neither url nor body" : "is the body of a request alone";
    throw refused(path, `${whole}; a line is ${exampleLine(fits)}`);
  }
  if (method !== undefined) {
    const named = fits === undefined ? "the path of its endpoint" : `"url": "${fits}"`;
    throw refused(path, `has no url; add ${named} to each line`);
  }
  const asked = endpoint ?? fits;
  if (asked !== undefined) return { format: "mistral", endpoint: asked };
  throw refused(path, "has no url, as in Mistral's batches, and its body does not tell the endpoint; add --endpoint");
}

/** Gateways take paths: of a URL, its path is suggested. */
function pathOf(url: string, { path, fits }: { readonly path: string; readonly fits: string | undefined }): string {
  if (url.startsWith("/")) return url;
  const own = URL.canParse(url) ? new URL(url).pathname : fits;
  throw refused(path, `has the url "${url}"; a batch's urls are paths${own === undefined ? "" : `, here "${own}"`}`);
}

const endpointOf = (body: object): string | undefined => ENDPOINTS.find(([field]) => field in body)?.[1];

const exampleLine = (endpoint = "/v1/chat/completions"): string =>
  `{"custom_id": "1", "method": "POST", "url": "${endpoint}", "body": {…}}`;

const refused = (path: string, problem: string): RhoneError =>
  new RhoneError("INVALID_REQUEST", `The first line of ${path} ${problem}.`);

function whyUnreadable(path: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return `There is no file ${path}.`;
  if (code === "EISDIR") return `${path} is a folder; name a file with a request on each line.`;
  return `${path} can't be read: ${message}.`;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** The first line that is not blank. */
async function firstLine(path: string): Promise<string | undefined> {
  const lines = createInterface({ input: createReadStream(path) });
  try {
    for await (const text of lines) {
      const line = text.replace(/^\ufeff/, "").trim();
      if (line !== "") return line;
    }
    return undefined;
  } finally {
    lines.close();
  }
}
