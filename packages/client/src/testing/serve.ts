import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

/** A request that `serve` has answered. */
export interface Served {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface TestServer {
  /** http://127.0.0.1:port */
  readonly url: string;
  readonly requests: readonly Served[];
}

/** An HTTP server on a free port that closes when the test is over. `answer` gets the request with its body. */
export async function serve(answer: (request: Served, response: ServerResponse) => unknown): Promise<TestServer> {
  const requests: Served[] = [];
  const server = createServer(async (message, response) => {
    const { method = "", url = "", headers } = message;
    const request = { method, path: url, headers, body: await text(message) };
    requests.push(request);
    await answer(request, response);
    if (!response.writableEnded) response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}
