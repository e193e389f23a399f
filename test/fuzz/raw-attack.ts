import fc from "fast-check";

/** Bytes for a bare socket, in parts with a pause between them, and the client's next move. */
export interface RawAttack {
  readonly label: string;
  readonly parts: readonly Buffer[];
  readonly pauseMs: number;
  /** wait: until the server closes, or answers and is silent. */
  readonly end: "wait" | "half-close" | "destroy";
}

const CHAT = "/v1/chat/completions";
const BODY = '{"messages":[{"role":"user","content":"Hi"}],"max_tokens":2}';
const STREAM = '{"messages":[{"role":"user","content":"Hi"}],"max_tokens":40,"ignore_eos":true,"stream":true}';

const post = (body: string, { path = CHAT, length = String(Buffer.byteLength(body)), extra = "" } = {}): string =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n${extra}\r\n${body}`;
const chunked = (chunks: string, extra = ""): string =>
  `POST ${CHAT} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n${extra}\r\n${chunks}`;
const get = (path: string, extra = ""): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n${extra}\r\n`;
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

const REQUEST_LINES = [
  "GET",
  "GET /",
  "GET / HTTP/9.9",
  "GET  /health HTTP/1.1",
  "get /health HTTP/1.1",
  "PRI * HTTP/2.0",
  "GET /health HTTP/0.9",
  "OPTIONS * HTTP/1.1",
  "CONNECT a:80 HTTP/1.1",
  "TRACE / HTTP/1.1",
  "PUT /v1/models HTTP/1.1",
  "BREW /pot HTTP/1.1",
  "PROPFIND /v1/files HTTP/1.1",
  "GET http://a/health HTTP/1.1",
  "GET //health HTTP/1.1",
  "GET /%zz HTTP/1.1",
  "GET /health\u0000 HTTP/1.1",
  "GET /\u00ff\u00fe HTTP/1.1",
  "GET /v1/models/../../health HTTP/1.1",
  "GET /:(a HTTP/1.1",
  "GET /v1/files/:id(\\d+ HTTP/1.1",
  "GET /* HTTP/1.1",
  "GET ? HTTP/1.1",
  "GET /?a=%zz HTTP/1.1",
  "POST /v1/nothing HTTP/1.1",
  "DELETE /v1/files/file-0 HTTP/1.1",
  "HEAD /v1/models HTTP/1.1",
  `GET /${"a".repeat(9000)} HTTP/1.1`,
  "\r\n\r\n\r\nGET /health HTTP/1.1",
  "GET /health HTTP/1.0",
  "HTTP/1.1 200 OK",
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000",
  "SSH-2.0-OpenSSH_9.6",
  "GET /:a?b HTTP/1.1",
  "GET /v1/models/:(%29 HTTP/1.1",
] as const;

const HEADER_LINES = [
  "host",
  "host: a\r\nhost: b",
  ": x",
  "a b: c",
  "x: \u0000",
  "x: y\r\n folded",
  `x: ${"y".repeat(20_000)}`,
  "content-length: -1",
  "content-length: 1e3",
  "content-length: 5\r\ncontent-length: 6",
  "content-length: 5\r\ntransfer-encoding: chunked",
  "transfer-encoding: gzip, nonsense",
  "expect: 100-continue",
  "expect: the impossible",
  "upgrade: websocket\r\nconnection: upgrade",
  "upgrade: h2c\r\nconnection: upgrade, http2-settings",
  "connection: \u00e9",
  "content-encoding: gzip",
  "te: trailers",
  "content-length: 99999999999999999999",
  "content-length: 60000000",
  "cookie: \u0001",
  "x:y\nz:w",
  "accept-encoding: \u00ff",
  Array.from({ length: 3000 }, (_, i) => `x-${i}: y`).join("\r\n"),
] as const;

const CHUNKS = [
  `${chunk(BODY)}0\r\n\r\n`,
  `${chunk(BODY.slice(0, 9))}${chunk(BODY.slice(9))}0\r\n\r\n`,
  "zz\r\nabc\r\n0\r\n\r\n",
  "-1\r\n",
  "ffffffffffffffff\r\nabc",
  "5\r\nabc\r\n0\r\n\r\n",
  `${chunk(BODY)}0\r\nx: trailer\r\n\r\n`,
  `${chunk(BODY)}0\r\n${"t: x\r\n".repeat(3000)}\r\n`,
  `3;ext=${"e".repeat(20_000)}\r\nabc\r\n0\r\n\r\n`,
  chunk(BODY),
  "0\r\n\r\n",
  "\r\n\r\n",
  `${chunk("\u00ff\u00fe")}0\r\n\r\n`,
] as const;

const lines = fc
  .constantFrom(...REQUEST_LINES)
  .map((line) => ({ label: `request line ${line.slice(0, 40)}`, text: `${line}\r\nhost: a\r\n\r\n` }));
const headers = fc
  .tuple(fc.constantFrom(...HEADER_LINES), fc.constantFrom("GET /health", `POST ${CHAT}`))
  .map(([header, start]) => ({
    label: `header ${header.slice(0, 40)}`,
    text: `${start} HTTP/1.1\r\nhost: a\r\n${header}\r\n\r\n`,
  }));
const hostless = fc.constant({ label: "no host", text: "GET /health HTTP/1.1\r\n\r\n" });
const chunks = fc
  .constantFrom(...CHUNKS)
  .map((text) => ({ label: `chunks ${text.slice(0, 30)}`, text: chunked(text) }));
const lengths = fc
  .constantFrom("0", "1", "5", "61", "4000", "")
  .map((length) => ({ label: `length ${length}`, text: post(BODY, { length }) }));
const pipelined = fc
  .array(
    fc.constantFrom(
      get("/health"),
      get("/v1/models"),
      post(BODY),
      post("{"),
      get("/nothing"),
      post(STREAM),
      "garbage\r\n\r\n",
    ),
    { minLength: 2, maxLength: 6 },
  )
  .map((all) => ({ label: "pipelined", text: all.join("") }));
const bytes = fc
  .uint8Array({ minLength: 1, maxLength: 80 })
  .map((all) => ({ label: "random bytes", text: Buffer.from(all).toString("latin1") }));
const behindStream = fc
  .constantFrom("garbage\r\n\r\n", "\u0000\u0001", post("{"), get("/health"))
  .map((text) => ({ label: "behind a stream", text: post(STREAM) + text }));

/** Bytes on a socket: HTTP that is broken in every place where it can break, cut, slowed down and left alone. */
export const rawAttacks: fc.Arbitrary<RawAttack> = fc
  .tuple(
    fc.oneof(lines, headers, hostless, chunks, lengths, pipelined, bytes, behindStream),
    fc.oneof({ weight: 2, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.integer({ min: 2, max: 5 }) }),
    fc.oneof(
      { weight: 4, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.double({ min: 0.05, max: 0.95, noNaN: true }) },
    ),
    fc.constantFrom("wait" as const, "wait" as const, "half-close" as const, "destroy" as const),
  )
  .map(([{ label, text }, count, share, end]) => {
    const all = Buffer.from(text, "latin1");
    const sent = all.subarray(0, Math.ceil(all.length * share));
    const size = Math.ceil(sent.length / count);
    const parts = Array.from({ length: count }, (_, i) => sent.subarray(i * size, (i + 1) * size));
    // A request that is cut short is never answered, so nobody waits.
    return { label, parts, pauseMs: 15, end: share < 1 && end === "wait" ? "destroy" : end };
  });
