import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import cors from "@fastify/cors";
import { type Logger, RhoneError, type Tracing } from "@rhone/common";
import { boundUnacknowledged } from "@rhone/ggml";
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  fastify,
} from "fastify";
import { messagesDialect } from "../answers/dialect.js";
import { Arrivals } from "./arrivals.js";
import { closeWith } from "./close-with.js";
import { type AnswersUse, countAnswer, countAnswers, countRefusal } from "./count-answers.js";
import { dialectOf, errorHeaders, toRequestError } from "./error-response.js";
import { type ForeignPagesUse, refuseForeignPages } from "./foreign-pages.js";
import { REPLAYED } from "./idempotency.js";
import { JoinedRequest } from "./joined-request.js";
import { writeJsonInTurns } from "./json-in-turns.js";
import { logRequests, type RequestLogUse } from "./log-requests.js";
import { openapi } from "./openapi/openapi.js";
import { Places } from "./places.js";
import { receiveJson } from "./receive-json.js";
import { namesOf, traceRequests } from "./trace-requests.js";
import { type Refuse, Unanswered } from "./unanswered.js";
import { boundUnread, closeUnread, endUnsent } from "./unread.js";
import { METHODS, unrouted } from "./unrouted.js";

export interface ServerOptions extends AnswersUse, RequestLogUse, ForeignPagesUse {
  readonly bodyLimitBytes: number;
  /** Bytes of large bodies that may be in memory at a time. */
  readonly bodiesBytes: number;
  /** Longest time for a request to arrive, body included. */
  readonly arrivalTimeoutMs: number;
  /** A client that reads nothing of its answer for this long, or whose machine is gone, loses its connection. */
  readonly sendTimeoutMs: number;
  readonly mostConnections: number;
  /** Addresses and networks of proxies that are believed what X-Forwarded-For says; [] = none. */
  readonly trustedProxies: readonly string[];
  /** Requests of one connection that may wait for their answers. */
  readonly mostPipelined: number;
  readonly tracing: Tracing;
  readonly logger: Logger;
  /** Adds pages that anybody may read. */
  readonly openRoutes: (scope: FastifyInstance) => void;
  /** Adds the hooks and routes. */
  readonly routes: (scope: FastifyInstance) => void;
}

/** Longest time for the headers of a request, and how often connections are checked for it. */
const HEADERS_TIMEOUT_MS = 20_000;
const CHECK_MS = 5000;
/** Longer than proxies keep a connection that they do not use: one that closes under a request fails it. */
const KEEP_ALIVE_MS = 72_000;

const TCP_KEEP_ALIVE_MS = 15_000;
/** The system counts in seconds. */
const SOONEST_TCP_KEEP_ALIVE_MS = 1000;

/**
 * When TCP's probes of an idle connection begin; they follow each other by seconds. So several are sent before
 * `sendTimeoutMs` without an acknowledgement end it: if the first came no earlier, one lost packet would.
 */
const tcpKeepAliveMs = ({ sendTimeoutMs }: Connecting): number =>
  Math.min(TCP_KEEP_ALIVE_MS, Math.max(SOONEST_TCP_KEEP_ALIVE_MS, sendTimeoutMs / 2));

/** The HTTP server, not listening yet. Every failure is answered in the one error envelope. */
export function buildServer(options: ServerOptions): FastifyInstance {
  const { bodyLimitBytes, bodiesBytes, corsOrigins, requiresKeys, trustedProxies } = options;
  const fail = failWith(options.logger);
  const refuse: Refuse = (socket, error, isAnswering) => {
    if (closeWith(socket, error, isAnswering)) countRefusal(options, error.row.http);
  };
  const places = new Places(options.mostConnections, options.logger);
  const unanswered = new Unanswered(options.mostPipelined, refuse, (requests, socket) => places.has(requests, socket));
  const app = fastify({
    bodyLimit: bodyLimitBytes,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    // A base URL with a slash at its end, and a path with one at its beginning.
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    // They have no hooks.
    frameworkErrors: (error, request, reply) => {
      countAnswer(options, reply);
      return fail(error, request, reply);
    },
    serverFactory: serverOf(options, { places, unanswered, refuse }),
    genReqId: requestIdOf,
    requestIdHeader: false,
    forceCloseConnections: "idle",
    // A request that comes on an open connection while the others finish is served, and its connection closed.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => {
      const isLost = unanswered.isAnswering(socket) || error.code === "ECONNRESET";
      refuse(socket, unreadable(error, options), isLost);
    },
  });
  app.setErrorHandler(fail);
  traceRequests(app, options);
  logRequests(app, options);
  countAnswers(app, options);
  app.addHook("onRequest", async (request, reply) => {
    identify(request, reply);
    if (request.raw.httpVersion === "1.1" && request.headers.host === undefined)
      throw new RhoneError("INVALID_REQUEST", "An HTTP/1.1 request needs a Host header.");
  });
  refuseForeignPages(app, options);
  unrouted(app);
  receiveJson(app, bodiesBytes);
  writeJsonInTurns(app);
  endUnsent(app);
  if (corsOrigins.length > 0) app.register(cors, corsOptions(corsOrigins));
  options.openRoutes(app);
  openapi(app, { requiresKeys });
  // The OpenAPI plugin sees only routes that are registered after it.
  app.register(async (scope) => options.routes(scope));
  return app;
}

type Connecting = Pick<ServerOptions, "arrivalTimeoutMs" | "sendTimeoutMs">;

const headersTimeoutMs = ({ arrivalTimeoutMs }: Connecting): number => Math.min(HEADERS_TIMEOUT_MS, arrivalTimeoutMs);

interface Refusing {
  readonly places: Places;
  readonly unanswered: Unanswered;
  readonly refuse: Refuse;
}

/** Makes the server that judges connections, before Fastify sees their requests. */
function serverOf(connecting: Connecting, { places, unanswered, refuse }: Refusing): FastifyServerFactory {
  const { arrivalTimeoutMs, sendTimeoutMs } = connecting;
  const options = {
    // Node's own refusal has no body.
    requireHostHeader: false,
    connectionsCheckingInterval: CHECK_MS,
    requestTimeout: arrivalTimeoutMs,
    headersTimeout: headersTimeoutMs(connecting),
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Of TCP: a connection on which a client waits is not idle for routers and for balancers that don't read HTTP.
    keepAlive: true,
    keepAliveInitialDelay: tcpKeepAliveMs(connecting),
    IncomingMessage: JoinedRequest,
  };
  const arrivals = new Arrivals();
  return (handle): Server => {
    const server = createServer(options, (request, response) => {
      closeUnread(request, response);
      if (!unanswered.admit(request.socket, response)) return;
      boundUnread(response, sendTimeoutMs);
      handle(request, response);
    });
    server.on("connection", (socket) => {
      boundUnacknowledged(socket, sendTimeoutMs);
      arrivals.follow(socket);
    });
    places.follow(server); // after it: it takes over the last listener to a connection's close
    server.on("connect", ({ socket }) => {
      // Nobody else listens to errors of its socket any more.
      socket.on("error", () => socket.destroy());
      refuse(socket, NO_PROXY, unanswered.isAnswering(socket));
    });
    // Node's refusal of expectations has no body either; a server may ignore them.
    return server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  };
}

/** The caller's x-request-id if it is 1 to 128 visible ASCII characters, else a random one. */
function requestIdOf({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID().replaceAll("-", "");
}

const failWith = (logger: Logger) => (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
  const named = toRequestError(error, request);
  const hasLeft = reply.raw.destroyed;
  // What was being sent to a client that has left ends early too.
  const isOurs = !(hasLeft && (error as { readonly code?: string }).code === "ERR_STREAM_PREMATURE_CLOSE");
  if (isOurs && named.row.http >= 500 && !named.row.retryable)
    logger.error({ err: error, code: named.code, ...namesOf(request) }, "request failed");
  request.failure = named;
  // Nobody reads an answer to a client that has left. Of 500 that left at once, everybody's waited behind theirs.
  if (hasLeft) {
    void request.claim?.failed();
    return reply.hijack();
  }
  identify(request, reply);
  // A handler that failed may have announced another content.
  reply.removeHeader("content-length").type("application/json; charset=utf-8");
  return reply
    .code(named.row.http)
    .headers(errorHeaders(named))
    .send(dialectOf(request.url).errorBody(named, request.id));
};

/** The answer names its request in a header. Anthropic's clients read another one. */
function identify({ id, url }: FastifyRequest, reply: FastifyReply): void {
  reply.header("x-request-id", id);
  if (dialectOf(url) === messagesDialect) reply.header("request-id", id);
}

const RATE_HEADERS = ["requests", "tokens"].flatMap((kind) =>
  ["limit", "remaining", "reset"].map((what) => `x-ratelimit-${what}-${kind}`),
);

const corsOptions = (origins: readonly string[]) => ({
  origin: origins.includes("*") ? "*" : [...origins],
  methods: [...METHODS],
  exposedHeaders: ["x-request-id", "request-id", "content-location", "retry-after", REPLAYED, ...RATE_HEADERS],
});

/** Why bytes never became a request: Node cannot parse them, or waited too long for the rest. */
function unreadable(error: NodeJS.ErrnoException, limits: Connecting): RhoneError {
  if (error.code !== "ERR_HTTP_REQUEST_TIMEOUT")
    return new RhoneError("INVALID_REQUEST", `This is not HTTP: ${error.message}.`);
  const [headersS, wholeS] = [headersTimeoutMs(limits), limits.arrivalTimeoutMs].map((ms) => ms / 1000);
  const late = `The request did not arrive in time: its headers within ${headersS} s, all of it within ${wholeS} s`;
  return new RhoneError("REQUEST_TIMEOUT", `${late}. Send it again.`);
}

const NO_PROXY = new RhoneError("METHOD_NOT_ALLOWED", "The gateway is no proxy: it does not take CONNECT.");
