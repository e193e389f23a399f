import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import cors from "@fastify/cors";
import { RhoneError } from "@rhone/common";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify, type HTTPMethods } from "fastify";
import type { GatewayDeps } from "../gateway-deps.js";
import { chatCompletions } from "../requests/prepare-chat.js";
import { completions } from "../requests/prepare-completion.js";
import { embeddings } from "../requests/prepare-embeddings.js";
import { fimCompletions } from "../requests/prepare-fim.js";
import { refuseDeep } from "../requests/refuse-deep.js";
import { admission } from "./admit.js";
import { errorBody, errorHeaders, toRequestError } from "./error-response.js";
import { openapi } from "./openapi/openapi.js";
import { requestIdOf } from "./request-id.js";
import { batchJobs } from "./routes/batch-jobs.js";
import { batches } from "./routes/batches.js";
import { files } from "./routes/files.js";
import { health } from "./routes/health.js";
import { models } from "./routes/models.js";
import { streams } from "./routes/streams.js";
import { tokenize } from "./routes/tokenize.js";

const ROUTES = [
  chatCompletions,
  completions,
  fimCompletions,
  embeddings,
  streams,
  tokenize,
  files,
  batches,
  batchJobs,
  models,
  health,
];

const METHODS: readonly HTTPMethods[] = ["GET", "POST", "DELETE"];

/** The HTTP server, not listening yet. Every failure leaves it in the one error envelope. */
export function buildServer(deps: GatewayDeps): FastifyInstance {
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const named = toRequestError(error);
    if (named.row.http >= 500 && !named.row.retryable)
      deps.logger.error({ err: error, code: named.code, httpRequest: request.id }, "request failed");
    reply.header("x-request-id", request.id);
    // What a stream that could not be sent was announced as.
    reply.removeHeader("content-length").type("application/json; charset=utf-8");
    return reply.code(named.row.http).headers(errorHeaders(named)).send(errorBody(named));
  };
  const answering = new WeakMap<Socket, ServerResponse>();
  const app = fastify({
    bodyLimit: deps.bodyLimitBytes,
    frameworkErrors: fail,
    // Node's own refusal has no body.
    http: { requireHostHeader: false },
    genReqId: requestIdOf,
    requestIdHeader: false,
    forceCloseConnections: "idle",
    clientErrorHandler: (error, socket) => refuseUnreadable(error, socket, answering.get(socket)),
  });
  // So has its refusal of expectations, which a server may also pass over.
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0] ?? "/";
    const allowed = METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
    if (allowed.length === 0) throw new RhoneError("NOT_FOUND", `There is nothing at ${path}; see /v1/models.`);
    reply.header("allow", allowed.join(", "));
    throw new RhoneError("METHOD_NOT_ALLOWED", `${path} takes ${allowed.join(", ")}, not ${request.method}.`);
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    answering.set(request.raw.socket, reply.raw);
    if (request.raw.httpVersion === "1.1" && request.headers.host === undefined)
      throw new RhoneError("INVALID_REQUEST", "A request in HTTP/1.1 needs the header Host.");
  });
  app.addHook("preValidation", async ({ body }) => refuseDeep(body));
  if (deps.corsOrigins.length > 0) app.register(cors, corsOptions(deps.corsOrigins));
  openapi(app, deps);
  // Plugins see the routes that are registered behind them.
  app.register(async (scope) => {
    admission(scope, deps);
    for (const routes of ROUTES) routes(scope, deps);
  });
  return app;
}

const RATE_HEADERS = ["requests", "tokens"].flatMap((kind) =>
  ["limit", "remaining", "reset"].map((what) => `x-ratelimit-${what}-${kind}`),
);

const corsOptions = (origins: readonly string[]) => ({
  origin: origins.includes("*") ? "*" : [...origins],
  methods: [...METHODS],
  exposedHeaders: ["x-request-id", "content-location", "retry-after", "idempotent-replayed", ...RATE_HEADERS],
});

/**
 * What Node's parser can't read as HTTP never becomes a request: the envelope goes to the socket itself, unless an answer is on
 * its way there, which would be spoilt.
 */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket, answer: ServerResponse | undefined): void {
  const isAnswering = answer?.headersSent === true && !answer.writableEnded;
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(errorBody(new RhoneError("INVALID_REQUEST", `This is not HTTP: ${error.message}.`)));
  const head = ["HTTP/1.1 400 Bad Request", "content-type: application/json; charset=utf-8", "connection: close"];
  socket.end(`${head.join("\r\n")}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
