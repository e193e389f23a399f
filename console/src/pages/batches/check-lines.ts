/** What is wrong with a line, from 1; of the whole file: line null. */
export interface FileProblem {
  readonly line: number | null;
  readonly message: string;
}

export interface CheckedFile {
  readonly lines: number;
  /** Of the lines; "" = none says it. */
  readonly endpoint: string;
  readonly problems: readonly FileProblem[];
}

const ENDPOINTS = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"];
const MOST_TOLD = 100;
/** Of a large file's beginning. */
const SAMPLE_BYTES = 1e6;

/** Looks through a file of requests before it is sent: each line has a custom_id of its own, a URL and a body. */
export function checkLines(text: string): CheckedFile {
  const problems: FileProblem[] = [];
  const ids = new Set<string>();
  let [lines, endpoint] = [0, ""];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    lines++;
    const problem = problemOf(line, ids, endpoint);
    if (typeof problem !== "string") endpoint ||= problem.url;
    // Of a file of another kind every line is wrong: a million problems, of which nobody is told.
    else if (problems.length < MOST_TOLD) problems.push({ line: index + 1, message: problem });
  }
  if (lines === 0) problems.push({ line: null, message: "The file has no lines." });
  return { lines, endpoint, problems };
}

/** The endpoint that the first lines of a file name; "" = none does. */
export async function endpointIn(file: Blob): Promise<string> {
  const text = await file.slice(0, SAMPLE_BYTES).text();
  const whole = file.size <= SAMPLE_BYTES ? text : text.slice(0, text.lastIndexOf("\n") + 1);
  return checkLines(whole).endpoint;
}

function problemOf(line: string, ids: Set<string>, endpoint: string): string | { readonly url: string } {
  let read: unknown;
  try {
    read = JSON.parse(line);
  } catch (error) {
    return `This is no JSON: ${(error as Error).message}`;
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) return "This is no JSON object.";
  const { custom_id: id, url, body } = read as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || id === "") return 'It has no "custom_id".';
  if (ids.has(id)) return `An earlier line has the custom_id ${id}, too.`;
  ids.add(id);
  if (typeof body !== "object" || body === null) return 'It has no "body".';
  if (typeof url !== "string") return 'It has no "url".';
  if (!ENDPOINTS.includes(url)) return `Batches do not call ${url}, only ${ENDPOINTS.join(", ")}.`;
  if (endpoint !== "" && url !== endpoint)
    return `It calls ${url}, earlier lines ${endpoint}; a batch has one endpoint.`;
  return { url };
}
