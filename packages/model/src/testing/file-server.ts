import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** One answer; the server takes the next from the list for each request, and the last one for all that follow. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface FileServer {
  readonly url: string;
  /** Breaks every connection. */
  readonly cut: () => void;
  /** What was asked for, in order. */
  readonly requests: {
    readonly path: string;
    readonly range: string | undefined;
    readonly authorization: string | undefined;
  }[];
}

/** An HTTP server on a free port of 127.0.0.1 that lives as long as the test. */
export async function startFileServer(answers: readonly Answer[]): Promise<FileServer> {
  const requests: FileServer["requests"] = [];
  const server = createServer((request, response) => {
    const { range, authorization } = request.headers;
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push({ path: request.url ?? "", range, authorization });
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, cut: () => server.closeAllConnections(), requests };
}

export const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

/** The file, or the asked-for part of it, as Hugging Face answers; `holdAfter` bytes nothing more comes. */
export function serve(content: Buffer, options: { readonly etag?: string; readonly holdAfter?: number } = {}): Answer {
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const etag = `"${options.etag ?? sha256(content)}"`;
    if (start >= content.length) {
      response.writeHead(416, { etag, "content-range": `bytes */${content.length}` }).end();
      return;
    }
    const part = content.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      etag,
      "content-length": part.length,
      ...(start > 0 && { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` }),
    });
    if (options.holdAfter === undefined) response.end(part);
    else response.write(part.subarray(0, options.holdAfter));
  };
}

export const status =
  (code: number, headers = {}): Answer =>
  (_, response) =>
    response.writeHead(code, headers).end();
