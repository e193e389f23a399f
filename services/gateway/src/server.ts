import { RhoneError } from "@rhone/common";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify, type HTTPMethods } from "fastify";
import { errorBody, errorHeaders, toRequestError } from "./api/error-response.js";
import type { GatewayDeps } from "./gateway-deps.js";
import { chatCompletions } from "./routes/chat-completions.js";
import { completions } from "./routes/completions.js";
import { health } from "./routes/health.js";
import { models } from "./routes/models.js";

const METHODS: readonly HTTPMethods[] = ["GET", "POST"];

/** The HTTP server, not listening yet. Every failure leaves it in the one error envelope. */
export function buildServer(deps: GatewayDeps): FastifyInstance {
  const fail = (error: unknown, _request: FastifyRequest, reply: FastifyReply) => {
    const named = toRequestError(error);
    if (named.row.http >= 500 && !named.row.retryable)
      deps.logger.error({ err: error, code: named.code }, "request failed");
    return reply.code(named.row.http).headers(errorHeaders(named)).send(errorBody(named));
  };
  const app = fastify({ bodyLimit: deps.bodyLimitBytes, frameworkErrors: fail, forceCloseConnections: "idle" });
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0] ?? "/";
    const allowed = METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
    if (allowed.length === 0) throw new RhoneError("NOT_FOUND", `There is nothing at ${path}; see /v1/models.`);
    reply.header("allow", allowed.join(", "));
    throw new RhoneError("METHOD_NOT_ALLOWED", `${path} takes ${allowed.join(", ")}, not ${request.method}.`);
  });
  for (const routes of [chatCompletions, completions, models, health]) routes(app, deps);
  return app;
}
