import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Takes the traces that services send to their collector, and only counts them. */
export class TraceSink {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly #server: Server;
  #bytes = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => {
      request.on("data", (chunk: Buffer) => {
        this.#bytes += chunk.length;
      });
      request.on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
    });
  }

  static async open(): Promise<TraceSink> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TraceSink(server);
  }

  get bytes(): number {
    return this.#bytes;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
