import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** Failures of a request: an error 500, a connection cut midway (before or after the work is done), no answer. */
export type Trouble = "error" | "cut" | "cut after" | "hang";

interface Asked {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Buffer | string;
}

interface StoredObject {
  readonly bytes: Buffer;
  readonly writtenAt: Date;
}

interface PendingUpload {
  readonly key: string;
  readonly parts: Map<number, Buffer>;
  readonly begunAt: Date;
}

const PAGE = 3;

/** An in-memory S3 server for one bucket, with the calls that the gateway uses, and with failures on demand. */
export class FakeS3 {
  readonly bucket = "bucket";
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, PendingUpload>();
  /** Called for each request with its kind ("GET", "PUT part", …); returns the failure to play, if any. */
  trouble: (kind: string, key: string) => Trouble | undefined = () => undefined;
  readonly asked: string[] = [];
  readonly #server: Server;
  #uploadNumber = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<FakeS3> {
    const s3 = new FakeS3();
    await new Promise<void>((resolve) => s3.#server.listen(0, "127.0.0.1", resolve));
    return s3;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "/", headers } = request;
    const { pathname, searchParams: query } = new URL(url, "http://s3");
    const [, bucket, ...path] = decodeURIComponent(pathname).split("/");
    const body = await buffer(request).catch(() => null);
    if (body === null) return;
    const asked = { method, key: path.join("/"), query, headers, body };
    const kind = kindOf(asked);
    this.asked.push(kind);
    const trouble = this.trouble(kind, asked.key);
    if (trouble === "hang") return;
    if (trouble === "error") return send(response, failure(500, "InternalError"));
    if (trouble === "cut" && method !== "GET") return void response.destroy();
    const answer = bucket === this.bucket ? this.#answer(kind, asked) : failure(404, "NoSuchBucket");
    if (trouble === "cut after") return void response.destroy();
    if (trouble === "cut") return cutShort(response, answer);
    send(response, answer);
  }

  #answer(kind: string, asked: Asked): Answer {
    if (!/Credential=known\//.test(asked.headers.authorization ?? "")) return failure(403, "InvalidAccessKeyId");
    const answers: Readonly<Record<string, () => Answer>> = {
      PUT: () => this.#put(asked.key, asked.body),
      GET: () => this.#get(asked),
      HEAD: () => this.#head(asked.key),
      DELETE: () => this.#delete(asked.key),
      LIST: () => this.#list(asked.query),
      "POST uploads": () => this.#beginUpload(asked.key),
      "GET uploads": () => this.#listUploads(asked.query),
      "PUT part": () => this.#putPart(asked),
      "POST upload": () => this.#completeUpload(asked),
      "DELETE upload": () => this.#abortUpload(asked.query),
    };
    return answers[kind]?.() ?? failure(501, "NotImplemented");
  }

  #put(key: string, bytes: Buffer): Answer {
    this.objects.set(key, { bytes, writtenAt: new Date() });
    return { status: 200, headers: { etag: '"e"' } };
  }

  #get({ key, headers }: Asked): Answer {
    const bytes = this.objects.get(key)?.bytes;
    if (bytes === undefined) return failure(404, "NoSuchKey");
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    if (from === undefined) return { status: 200, body: bytes };
    if (Number(from) >= bytes.length) return failure(416, "InvalidRange");
    const part = bytes.subarray(Number(from), Number(to) + 1);
    const last = Number(from) + part.length - 1;
    return { status: 206, headers: { "content-range": `bytes ${from}-${last}/${bytes.length}` }, body: part };
  }

  #head(key: string): Answer {
    const object = this.objects.get(key);
    if (object === undefined) return { status: 404 };
    return { status: 200, headers: { "last-modified": object.writtenAt.toUTCString() } };
  }

  #delete(key: string): Answer {
    this.objects.delete(key);
    return { status: 204 };
  }

  /** The entries of a folder in order, in pages of 3. */
  #list(query: URLSearchParams): Answer {
    const prefix = query.get("prefix") ?? "";
    const after = query.get("continuation-token") ?? "";
    const entries = [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => prefix + key.slice(prefix.length).replace(/\/.*$/s, "/"));
    const wanted = [...new Set(entries)].sort().filter((entry) => entry > after);
    const page = wanted.slice(0, PAGE);
    const rows = page.map((entry) =>
      entry.endsWith("/")
        ? `<CommonPrefixes><Prefix>${entry}</Prefix></CommonPrefixes>`
        : `<Contents><Key>${entry}</Key></Contents>`,
    );
    const more = wanted.length > PAGE ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
    return xml(`<ListBucketResult>${rows.join("")}${more}</ListBucketResult>`);
  }

  #beginUpload(key: string): Answer {
    const id = `upload-${++this.#uploadNumber}`;
    this.uploads.set(id, { key, parts: new Map(), begunAt: new Date() });
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  }

  #listUploads(query: URLSearchParams): Answer {
    const rows = [...this.uploads]
      .filter(([, { key }]) => key.startsWith(query.get("prefix") ?? ""))
      .map(([id, { key, begunAt }]) => {
        const begun = `<Initiated>${begunAt.toISOString()}</Initiated>`;
        return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId>${begun}</Upload>`;
      });
    return xml(`<ListMultipartUploadsResult>${rows.join("")}</ListMultipartUploadsResult>`);
  }

  #putPart({ query, body }: Asked): Answer {
    const upload = this.uploads.get(query.get("uploadId") ?? "");
    if (upload === undefined) return failure(404, "NoSuchUpload");
    upload.parts.set(Number(query.get("partNumber")), body);
    return { status: 200, headers: { etag: '"e"' } };
  }

  #completeUpload({ key, query }: Asked): Answer {
    const id = query.get("uploadId") ?? "";
    const upload = this.uploads.get(id);
    if (upload === undefined) return failure(404, "NoSuchUpload");
    this.uploads.delete(id);
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
    this.#put(key, Buffer.concat(parts));
    return xml(`<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`);
  }

  #abortUpload(query: URLSearchParams): Answer {
    return { status: this.uploads.delete(query.get("uploadId") ?? "") ? 204 : 404 };
  }
}

function kindOf({ method, key, query }: Asked): string {
  if (query.has("partNumber")) return `${method} part`;
  if (query.has("uploadId")) return `${method} upload`;
  if (query.has("uploads")) return `${method} uploads`;
  return method === "GET" && key === "" ? "LIST" : method;
}

const xml = (body: string): Answer => ({
  status: 200,
  headers: { "content-type": "application/xml" },
  body: `<?xml version="1.0" encoding="UTF-8"?>${body}`,
});

const failure = (status: number, code: string): Answer => ({
  ...xml(`<Error><Code>${code}</Code><Message>no</Message><AWSAccessKeyId>known</AWSAccessKeyId></Error>`),
  status,
});

function send(response: ServerResponse, { status, headers = {}, body = "" }: Answer): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(body), ...headers }).end(body);
}

/** Sends half of the promised bytes, then closes the connection. */
function cutShort(response: ServerResponse, { status, headers = {}, body = "" }: Answer): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { "content-length": bytes.length, ...headers });
  response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
}
