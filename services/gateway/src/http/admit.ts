import type { FastifyInstance } from "fastify";
import type { Caller } from "../admission/caller.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { authenticate } from "./authenticate.js";
import { idempotency } from "./idempotency.js";
import { limitRequests } from "./limit-requests.js";
import { isGeneration, operationOf } from "./operation-of.js";

/**
 * What every request of the scope's routes passes before its handler: whose it is, whether he may ask once more, whether it was
 * answered before. Health, metrics and status are open.
 */
export function admission(scope: FastifyInstance, deps: GatewayDeps): void {
  scope.decorateRequest("caller", null as unknown as Caller);
  // Before the body is read: who may not ask sends none.
  scope.addHook("onRequest", async (request, reply) => {
    const operation = operationOf(request);
    if (operation?.tag === "operations") return;
    request.caller = await authenticate(deps, request.headers);
    if (isGeneration(operation)) await limitRequests(deps, reply);
  });
  idempotency(scope, deps);
}
