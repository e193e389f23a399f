import { anonymousStatus, metricsPage, toRhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
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

/**
 * GET /health (the process answers), /ready (a coordinator takes requests); unless opsless, /metrics and /status. Ids
 * and addresses are for those who show an API key or the cluster's secret.
 */
export function health(app: FastifyInstance, uses: HealthUse): void {
  const startedAtMs = Date.now();
  app.get("/health", async (_request, reply) => probed(reply, { status: "ok" }));
  const seen = async (request: FastifyRequest) => {
    const coordinators = await uses.cluster.coordinators();
    return (await request.maySeeInside()) ? coordinators : coordinators.map(anonymousStatus);
  };
  app.get("/ready", async (request, reply) => {
    try {
      const isReady = (await uses.cluster.coordinators()).some(({ state }) => state === "ready");
      if (!isReady) readyCoordinator(await seen(request)); // throws
      return probed(reply, { status: "ready" });
    } catch (error) {
      const named = toRhoneError(error);
      return probed(reply.code(503).headers(errorHeaders(named)), { status: "not_ready", reason: named.message });
    }
  });
  if (uses.opsless) return;
  const { registry } = uses.metrics;
  app.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await metricsPage(registry)));
  app.get("/status", async (request) => {
    const own = (await request.maySeeInside()) ? { id: uses.gatewayId, pid: process.pid } : {};
    return { coordinators: await seen(request), gateway: { ...own, model: uses.model.name, startedAtMs } };
  });
}

/** Written at once: in the line of the answers that wait, a probe would come behind the refusals of 500 clients. */
const probed = (reply: FastifyReply, state: object): FastifyReply =>
  reply.type("application/json; charset=utf-8").send(JSON.stringify(state));
