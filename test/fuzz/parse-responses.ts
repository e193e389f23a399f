export interface RawResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The HTTP/1.1 responses in a socket's bytes. Leaves out a last one that is cut short. Throws for other bytes. */
export function parseResponses(bytes: Buffer, methods: readonly string[] = []): readonly RawResponse[] {
  const text = bytes.toString("latin1");
  const responses: RawResponse[] = [];
  for (let at = 0; at < text.length; ) {
    const headEnd = text.indexOf("\r\n\r\n", at);
    if (headEnd < 0) break;
    const [start = "", ...lines] = text.slice(at, headEnd).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(start)?.[1]);
    if (Number.isNaN(status)) throw new Error(`Not a response: ${JSON.stringify(text.slice(at, at + 200))}`);
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const isBare =
      status < 200 || status === 204 || methods[responses.filter((one) => one.status >= 200).length] === "HEAD";
    const body = isBare ? { text: "", end: headEnd + 4 } : readBody(text, headEnd + 4, headers);
    if (body === undefined) break;
    responses.push({ status, headers, body: Buffer.from(body.text, "latin1").toString("utf8") });
    at = body.end;
  }
  return responses;
}

interface Body {
  readonly text: string;
  readonly end: number;
}

function readBody(text: string, start: number, headers: ReadonlyMap<string, string>): Body | undefined {
  if (headers.get("transfer-encoding") === "chunked") return readChunks(text, start);
  const length = headers.get("content-length");
  const end = length === undefined ? text.length : start + Number(length);
  return end > text.length ? undefined : { text: text.slice(start, end), end };
}

function readChunks(text: string, start: number): Body | undefined {
  let body = "";
  for (let at = start; ; ) {
    const lineEnd = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (lineEnd < 0 || lineEnd + 2 + size + 2 > text.length) return undefined;
    if (Number.isNaN(size)) throw new Error(`Not a chunk: ${JSON.stringify(text.slice(at, at + 200))}`);
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
    if (size === 0) return { text: body, end: at };
  }
}
