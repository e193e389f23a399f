import { once, setMaxListeners } from "node:events";
import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { Readable } from "node:stream";
import { authorization } from "@rhone/client";

export interface SenderOptions {
  /** http://host:port of a gateway. */
  readonly url: string;
  readonly apiKey: string | undefined;
  /** Aborted when the sender gives up: whatever is unanswered then is hung up. */
  readonly signal: AbortSignal;
}

/** What the sender got: `status` 0 and the reason as `code` when no answer came. */
export interface Reply {
  readonly status: number;
  /** `error.code` of a refusal. */
  readonly code: string | null;
  readonly ms: number;
}

export interface Outgoing {
  readonly method?: "GET" | "HEAD" | "POST" | "DELETE" | "OPTIONS";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: object | string | Buffer | Readable;
  /** Hangs up after this time. */
  readonly leaveAfterMs?: number;
  /** Reads nothing of the answer, until it hangs up or is hung up on. */
  readonly isUnread?: boolean;
  /** Hangs up when the headers of the answer have come. */
  readonly headersOnly?: boolean;
}

export interface Asked {
  readonly reply: Reply;
  /** undefined for one that is not JSON. */
  readonly answer: unknown;
  readonly location: string | null;
}

/** Enough of an answer for its error or an id. */
const MOST_KEPT = 64 * 1024;

/** Sends requests to a gateway and takes note of the answers. */
export class Sender {
  readonly url: string;
  readonly signal: AbortSignal;
  readonly #apiKey: string | undefined;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });

  constructor({ url, apiKey, signal }: SenderOptions) {
    this.url = url;
    this.signal = signal;
    // Every open request listens.
    setMaxListeners(0, signal);
    this.#apiKey = apiKey;
  }

  /** Never rejects. */
  async send(outgoing: Outgoing): Promise<Reply> {
    return (await this.ask(outgoing)).reply;
  }

  /** The answer's JSON and Content-Location too, where it has them. Never rejects. */
  async ask(outgoing: Outgoing): Promise<Asked> {
    const sentAt = performance.now();
    const ms = () => Math.round(performance.now() - sentAt);
    try {
      const response = await this.#open(outgoing);
      if (outgoing.headersOnly === true) response.destroy();
      if (outgoing.isUnread === true) await once(response, "close");
      const answer = response.destroyed ? undefined : parse(await beginningOf(response));
      const code = (answer as { error?: { code?: string } | null } | undefined)?.error?.code ?? null;
      const location = response.headers["content-location"] ?? null;
      return { reply: { status: response.statusCode ?? 0, code, ms: ms() }, answer, location };
    } catch (error) {
      const code = this.signal.aborted ? "gave up" : ((error as NodeJS.ErrnoException).code ?? "left");
      return { reply: { status: 0, code, ms: ms() }, answer: undefined, location: null };
    }
  }

  /** POST of JSON. */
  post(path: string, body: object | string): Promise<Reply> {
    return this.send({ path, body });
  }

  /** The same request `count` times, `atOnce` at a time. */
  async repeat(
    count: number,
    make: (index: number) => Outgoing,
    { atOnce } = { atOnce: 64 },
  ): Promise<readonly Reply[]> {
    const replies: Reply[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count && !this.signal.aborted) replies.push(await this.send(make(next++)));
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work));
    return replies;
  }

  close(): void {
    this.#agent.destroy();
  }

  #open({ method, path, headers, body, leaveAfterMs }: Outgoing): Promise<IncomingMessage> {
    const isStream = body !== undefined && typeof body === "object" && "pipe" in body;
    const bytes = isStream || typeof body === "string" || Buffer.isBuffer(body) ? body : body && JSON.stringify(body);
    const length = typeof bytes === "string" || Buffer.isBuffer(bytes) ? Buffer.byteLength(bytes) : undefined;
    const options: RequestOptions = {
      agent: this.#agent,
      method: method ?? (body === undefined ? "GET" : "POST"),
      signal:
        leaveAfterMs === undefined ? this.signal : AbortSignal.any([this.signal, AbortSignal.timeout(leaveAfterMs)]),
      headers: {
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(length !== undefined && { "content-length": length }),
        ...authorization(this.#apiKey),
        ...headers,
      },
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(`${this.url}${path}`, options).once("response", resolve).on("error", reject);
      if (isStream) (body as Readable).pipe(outgoing);
      else outgoing.end(bytes);
    });
  }
}

async function beginningOf(response: IncomingMessage): Promise<string> {
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    if (bytes < MOST_KEPT) kept.push(part);
    bytes += part.length;
  }
  return Buffer.concat(kept).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
