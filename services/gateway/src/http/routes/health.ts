import { metricsPage, toRhoneError } from "@rhone/common";
import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import { type ClusterState, readyCoordinator } from "../../queue/cluster-state.js";
import { errorHeaders } from "../error-response.js";

export interface HealthUse {
  readonly cluster: ClusterState;
  readonly gatewayId: string;
  readonly model: { readonly name: string };
  readonly metrics: { readonly registry: Registry };
  /** Leaves out /metrics and /status. */
  readonly opsless: boolean;
}

/** GET /health (the process answers), /ready (a coordinator takes requests); unless opsless, /metrics and /status. */
export function health(app: FastifyInstance, uses: HealthUse): void {
  const startedAtMs = Date.now();
  app.get("/health", async () => ({ status: "ok" }));
  app.get("/ready", async (_request, reply) => {
    try {
      readyCoordinator(await uses.cluster.coordinators());
      return { status: "ready" };
    } catch (error) {
      const named = toRhoneError(error);
      return reply.code(503).headers(errorHeaders(named)).send({ status: "not_ready", reason: named.message });
    }
  });
  if (uses.opsless) return;
  const { registry } = uses.metrics;
  app.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await metricsPage(registry)));
  app.get("/status", async () => ({
    coordinators: await uses.cluster.coordinators(),
    gateway: { id: uses.gatewayId, model: uses.model.name, pid: process.pid, startedAtMs },
  }));
}
