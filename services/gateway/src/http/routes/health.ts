import { toRhoneError } from "@rhone/common";
import type { FastifyInstance } from "fastify";
import type { GatewayDeps } from "../../gateway-deps.js";
import { readyCoordinator } from "../../queue/cluster-state.js";
import { errorHeaders } from "../error-response.js";

/** GET /health (the process answers), /ready (so does the model); unless opsless, /metrics and /status. */
export function health(app: FastifyInstance, deps: GatewayDeps): void {
  const startedAtMs = Date.now();
  app.get("/health", async () => ({ status: "ok" }));
  app.get("/ready", async (_request, reply) => {
    try {
      readyCoordinator(await deps.cluster.coordinators());
      return { status: "ready" };
    } catch (error) {
      const named = toRhoneError(error);
      return reply.code(503).headers(errorHeaders(named)).send({ status: "not_ready", reason: named.message });
    }
  });
  if (deps.opsless) return;
  const { registry } = deps.metrics;
  app.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  app.get("/status", async () => ({
    coordinators: await deps.cluster.coordinators(),
    gateway: { id: deps.gatewayId, model: deps.model.name, pid: process.pid, startedAtMs },
  }));
}
