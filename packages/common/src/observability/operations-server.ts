import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { endRevoked } from "../security/end-revoked.js";
import type { Role } from "../security/peer.js";
import type { Security } from "../security/security.js";
import { listenOrExplain } from "./listen.js";
import { keepToConnections } from "./most-connections.js";
import { metricsPage } from "./process-metrics.js";

export interface OperationsOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly security: Security;
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

/** Strangers' ones among them: everybody may ask for health. */
const MOST_CONNECTIONS = 256;

/** Whose certificates are shown all; others are told whether the process lives and is ready. */
const READERS: readonly Role[] = ["coordinator", "operator"];

/**
 * GET /health (the event loop turns), /ready (200, or 503 with the reason), /metrics (Prometheus), /status (JSON). With
 * TLS, states, metrics and reasons are for a coordinator's or operator's certificate; with a secret, states and reasons
 * are for those who know it.
 */
export class OperationsServer {
  readonly #server: Server;
  readonly #unwatch: () => void;
  readonly port: number;

  private constructor(server: Server, unwatch: () => void) {
    this.#server = server;
    this.#unwatch = unwatch;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Throws PORT_IN_USE or INVALID_CONFIG. */
  static async open(options: OperationsOptions): Promise<OperationsServer> {
    const { host, security } = options;
    security.checkExposure(host);
    const { server, unwatch } = createFor(security, async (request, response) => {
      const { code, type, body } = await answer(request, options).catch(() => json(500, { error: "internal" }));
      response.writeHead(code, { "content-type": type, "cache-control": "no-store" }).end(body);
    });
    keepToConnections(server, MOST_CONNECTIONS);
    await listenOrExplain(server, options);
    return new OperationsServer(server, unwatch);
  }

  /** Ends open connections too. */
  async close(): Promise<void> {
    this.#unwatch();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

interface Created {
  readonly server: Server;
  readonly unwatch: () => void;
}

function createFor(security: Security, listener: RequestListener): Created {
  const { identity } = security;
  if (identity === null) return { server: createServer(listener), unwatch: () => {} };
  const server = createTlsServer({ ...identity.context, requestCert: true, rejectUnauthorized: false }, listener);
  identity.onChange(() => server.setSecureContext(identity.context));
  return { server, unwatch: endRevoked(server, security) };
}

async function answer(request: IncomingMessage, options: OperationsOptions): Promise<Answer> {
  const { registry, notReady, status, security } = options;
  const isAdmitted = security.admits(request, READERS);
  switch ((request.url ?? "/").split("?")[0]) {
    case "/health":
      return json(200, { status: "ok" });
    case "/ready": {
      const reason = notReady();
      if (reason === null) return json(200, { status: "ready" });
      return json(503, { status: "not_ready", ...(isAdmitted && { reason }) });
    }
    case "/metrics":
      if (security.identity !== null && !isAdmitted) return FORBIDDEN;
      return { code: 200, type: registry.contentType, body: await metricsPage(registry) };
    case "/status":
      return isAdmitted ? json(200, status()) : FORBIDDEN;
    default:
      return json(404, { error: "not found" });
  }
}

const json = (code: number, value: unknown): Answer => ({
  code,
  type: "application/json",
  body: JSON.stringify(value),
});

const FORBIDDEN = json(403, {
  error: "only for those who show an operator's or a coordinator's certificate, or the cluster's secret",
});
