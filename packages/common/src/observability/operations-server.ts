import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { toRhoneError } from "../errors/rhone-error.js";
import { endRevoked } from "../security/end-revoked.js";
import type { Role } from "../security/peer.js";
import { bearerOf, isSecret, readSecret, type Security } from "../security/security.js";
import { listenOrExplain } from "./listen.js";
import { keepToConnections } from "./most-connections.js";
import { metricsPage } from "./process-metrics.js";

export interface OperationsOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly security: Security;
  /** File with the secret of those who may read metrics without a certificate. */
  readonly metricsTokenFile?: string | undefined;
  readonly registry: Registry;
  /** Why the service is not ready, or null when it is. */
  readonly notReady: () => string | null;
  /** The JSON body of GET /status. */
  readonly status: () => unknown;
  /** What POST of a path does, such as "/drain"; the answer's body is what it resolves with, or its RhoneError. */
  readonly commands?: Readonly<Record<string, (query: URLSearchParams) => Promise<unknown>>>;
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
const COMMANDERS: readonly Role[] = ["operator"];

const HANDSHAKE_MS = 5000;
const REQUEST_MS = 10_000;

/**
 * GET /health (the event loop turns), /ready (200, or 503 with the reason), /metrics (Prometheus), /status (JSON). With
 * TLS, states, metrics and reasons are for a coordinator's or operator's certificate, and metrics also for the token of
 * metrics; with a secret, states and reasons are for those who know it. POST of a command is for an operator's
 * certificate, or for those who know the secret.
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
    const { host, security, metricsTokenFile } = options;
    security.checkExposure(host);
    const metricsToken = metricsTokenFile === undefined ? null : readSecret(metricsTokenFile);
    const { server, unwatch } = createFor(security, async (request, response) => {
      const { code, type, body } = await answer(request, { ...options, metricsToken }).catch(() =>
        json(500, { error: "internal" }),
      );
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
  const limits = { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS };
  if (identity === null) return { server: createServer(limits, listener), unwatch: () => {} };
  const tls = { ...identity.context, requestCert: true, rejectUnauthorized: false, handshakeTimeout: HANDSHAKE_MS };
  const server = createTlsServer({ ...tls, ...limits }, listener);
  identity.onChange(() => server.setSecureContext(identity.context));
  return { server, unwatch: endRevoked(server, security) };
}

interface Answering extends OperationsOptions {
  readonly metricsToken: string | null;
}

async function answer(request: IncomingMessage, options: Answering): Promise<Answer> {
  const { registry, notReady, status, security, metricsToken, commands = {} } = options;
  const isAdmitted = security.admits(request, READERS);
  const [path = "/", query = ""] = (request.url ?? "/").split("?");
  if (request.method === "POST") {
    const command = Object.hasOwn(commands, path) ? commands[path] : undefined;
    if (command === undefined) return json(404, { error: "not found" });
    if (!security.admits(request, COMMANDERS)) return FORBIDDEN_COMMAND;
    return command(new URLSearchParams(query)).then((done) => json(200, done), failed);
  }
  switch (path) {
    case "/health":
      return json(200, { status: "ok" });
    case "/ready": {
      const reason = notReady();
      if (reason === null) return json(200, { status: "ready" });
      return json(503, { status: "not_ready", ...(isAdmitted && { reason }) });
    }
    case "/metrics":
      if (security.identity !== null && !isAdmitted && !showsToken(request, metricsToken)) return FORBIDDEN;
      return { code: 200, type: registry.contentType, body: await metricsPage(registry) };
    case "/status":
      return isAdmitted ? json(200, status()) : FORBIDDEN;
    default:
      return json(404, { error: "not found" });
  }
}

const showsToken = ({ headers }: IncomingMessage, token: string | null): boolean =>
  token !== null && isSecret(bearerOf(headers), token);

const json = (code: number, value: unknown): Answer => ({
  code,
  type: "application/json",
  body: JSON.stringify(value),
});

function failed(error: unknown): Answer {
  const { code, message, row } = toRhoneError(error);
  return json(row.http, { error: { code, message } });
}

const FORBIDDEN_COMMAND = json(403, {
  error: { code: "FORBIDDEN_PEER", message: "This is for an operator's certificate, or the cluster's secret." },
});

const FORBIDDEN = json(403, {
  error: "only for those who show an operator's or a coordinator's certificate, or the cluster's secret",
});
