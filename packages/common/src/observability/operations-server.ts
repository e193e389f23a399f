import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { listenOrExplain } from "./listen.js";
import { metricsPage } from "./process-metrics.js";

export interface OperationsOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly registry: Registry;
  /** Why the service is not ready, or null when it is. */
  readonly notReady: () => string | null;
  /** The JSON body of GET /status. */
  readonly status: () => unknown;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

/** GET /health (the event loop turns), /ready (200, or 503 with the reason), /metrics (Prometheus), /status (JSON). */
export class OperationsServer {
  readonly #server: Server;
  readonly port: number;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Throws PORT_IN_USE or INVALID_CONFIG. */
  static async open(options: OperationsOptions): Promise<OperationsServer> {
    const server = createServer(async (request, response) => {
      const path = (request.url ?? "/").split("?")[0] ?? "/";
      const { code, type, body } = await answer(path, options).catch(() => json(500, { error: "internal" }));
      response.writeHead(code, { "content-type": type, "cache-control": "no-store" }).end(body);
    });
    await listenOrExplain(server, options);
    return new OperationsServer(server);
  }

  /** Ends open connections too. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

async function answer(path: string, { registry, notReady, status }: OperationsOptions): Promise<Answer> {
  switch (path) {
    case "/health":
      return json(200, { status: "ok" });
    case "/ready": {
      const reason = notReady();
      return reason === null ? json(200, { status: "ready" }) : json(503, { status: "not_ready", reason });
    }
    case "/metrics":
      return { code: 200, type: registry.contentType, body: await metricsPage(registry) };
    case "/status":
      return json(200, status());
    default:
      return json(404, { error: "not found" });
  }
}

const json = (code: number, value: unknown): Answer => ({
  code,
  type: "application/json",
  body: JSON.stringify(value),
});
