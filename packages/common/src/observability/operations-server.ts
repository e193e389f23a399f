import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { listenOrExplain } from "./listen.js";

export interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  /** null when ready, else the reason why not. */
  readonly notReady: () => string | null;
  /** What GET /status answers, as JSON. */
  readonly status: () => unknown;
}

function send(response: ServerResponse, statusCode: number, contentType: string, body: string): void {
  response.writeHead(statusCode, { "content-type": contentType, "cache-control": "no-store" }).end(body);
}

/** GET /health (the event loop turns), /ready (503 with the reason), /metrics (Prometheus text), /status (JSON). */
export class OperationsServer {
  readonly #server: Server;
  readonly port: number;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Throws PORT_IN_USE. */
  static async open({ host, port, registry, notReady, status }: OperationsOptions): Promise<OperationsServer> {
    const answer = async (path: string, response: ServerResponse): Promise<void> => {
      if (path === "/health") return send(response, 200, "application/json", '{"status":"ok"}');
      if (path === "/ready") {
        const reason = notReady();
        const body = JSON.stringify(reason === null ? { status: "ready" } : { status: "not_ready", reason });
        return send(response, reason === null ? 200 : 503, "application/json", body);
      }
      if (path === "/metrics") return send(response, 200, registry.contentType, await registry.metrics());
      if (path === "/status") return send(response, 200, "application/json", JSON.stringify(status()));
      return send(response, 404, "application/json", '{"error":"not found"}');
    };
    const server = createServer((request, response) => {
      const path = (request.url ?? "/").split("?")[0] ?? "/";
      answer(path, response).catch(() => send(response, 500, "application/json", '{"error":"internal"}'));
    });
    await listenOrExplain(server, { host, port });
    return new OperationsServer(server);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
