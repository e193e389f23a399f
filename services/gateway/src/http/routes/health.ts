import { metricsPage, toRhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyReply } from "fastify";
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
  app.get("/health", async (_request, reply) => probed(reply, { status: "ok" }));
  app.get("/ready", async (_request, reply) => {
    try {
      readyCoordinator(await uses.cluster.coordinators());
      return probed(reply, { status: "ready" });
    } catch (error) {
      const named = toRhoneError(error);
      return probed(reply.code(503).headers(errorHeaders(named)), { status: "not_ready", reason: named.message });
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

/** Written at once: in the line of the answers that wait, a probe would come behind the refusals of 500 clients. */
const probed = (reply: FastifyReply, state: object): FastifyReply =>
  reply.type("application/json; charset=utf-8").send(JSON.stringify(state));
