/** A server's response after redirects, with what the redirects said about the file. */
export interface RemoteFile {
  readonly status: number;
  readonly body: ReadableStream<Uint8Array> | null;
  /** The file position of the body's first byte: 0 when the server ignored the range. */
  readonly start: number;
  readonly totalBytes: number | undefined;
  /** Identifies the content: Hugging Face's `x-linked-etag`, otherwise the ETag. */
  readonly etag: string | undefined;
  /** The ETag where it is a SHA-256, as for large files on Hugging Face. */
  readonly sha256: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** What redirects say about the stored file. */
interface Linked {
  etag: string | undefined;
  bytes: number | undefined;
}

const MAX_REDIRECTS = 5;

/**
 * Requests `url` from byte `start`. Follows redirects itself, to send the token to the first host only and to keep the
 * first response's headers, which describe the stored file. Throws as fetch does.
 */
export async function openRemote(
  url: string,
  request: { readonly start: number; readonly token: string | undefined; readonly signal: AbortSignal },
): Promise<RemoteFile> {
  const firstHost = new URL(url).host;
  let at = new URL(url);
  const linked: Linked = { etag: undefined, bytes: undefined };
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(at, {
      redirect: "manual",
      signal: request.signal,
      headers: requestHeaders(request.start, at.host === firstHost ? request.token : undefined),
    });
    linked.etag ??= unquote(response.headers.get("x-linked-etag"));
    linked.bytes ??= wholeNumber(response.headers.get("x-linked-size"));
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null) return describe(response, linked);
    await response.body?.cancel();
    if (redirects === MAX_REDIRECTS) throw new Error(`${url} redirects more than ${MAX_REDIRECTS} times`);
    at = new URL(location, at);
  }
}

function requestHeaders(start: number, token: string | undefined): Record<string, string> {
  return {
    "accept-encoding": "identity",
    ...(start > 0 && { range: `bytes=${start}-` }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
}

function describe(response: Response, linked: Readonly<Linked>): RemoteFile {
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  const etag = linked.etag ?? unquote(response.headers.get("etag"));
  const length = response.status === 200 ? wholeNumber(response.headers.get("content-length")) : undefined;
  const retryAfter = wholeNumber(response.headers.get("retry-after"));
  return {
    status: response.status,
    body: response.body,
    start: response.status === 206 ? Number(range?.[1] ?? 0) : 0,
    totalBytes: linked.bytes ?? (range?.[2] === undefined ? length : Number(range[2])),
    etag,
    sha256: etag !== undefined && /^[0-9a-f]{64}$/.test(etag) ? etag : undefined,
    retryAfterMs: retryAfter === undefined ? undefined : retryAfter * 1000,
  };
}

function unquote(etag: string | null): string | undefined {
  return etag === null ? undefined : etag.replace(/^W\//, "").replaceAll('"', "");
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
