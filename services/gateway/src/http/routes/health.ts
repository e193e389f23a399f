import { anonymousStatus, RhoneError, toRhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import { type AskedModel, readyCoordinator, type ServedModels } from "../../models/served-models.js";
import type { ClusterRecords } from "../../monitoring/cluster-records.js";
import type { MetricsPages } from "../../monitoring/metrics-pages.js";
import { scrapeTargets } from "../../monitoring/scrape-targets.js";
import type { ClusterState } from "../../queue/cluster-state.js";
import { modelQuerySchema, parseRequest } from "../../requests/request-fields.js";
import { errorHeaders } from "../error-response.js";

export interface HealthUse {
  readonly cluster: ClusterState;
  readonly gatewayId: string;
  readonly models: Pick<ServedModels, "all" | "find">;
  readonly metrics: { readonly registry: Registry };
  readonly pages: Pick<MetricsPages, "page">;
  readonly records: Pick<ClusterRecords, "gateways">;
  /** The certificate by which this process is known where the cluster's processes have some. */
  readonly tlsCert?: string | undefined;
  /** Leaves out /metrics and /status. */
  readonly opsless: boolean;
}

/**
 * GET /health (the process answers), /ready (a coordinator takes requests of the model that is asked about, or of any);
 * unless opsless, /metrics, /metrics/targets and /status. Ids and addresses are for those who show an API key or the
 * cluster's secret.
 */
export function health(app: FastifyInstance, uses: HealthUse): void {
  const { models } = uses;
  const startedAtMs = Date.now();
  let isStopping = false;
  app.addHook("preClose", async () => {
    isStopping = true;
  });
  app.get("/health", async (_request, reply) => probed(reply, { status: "ok" }));
  /** A model as its asker may see it. */
  const shown = async (request: FastifyRequest) => {
    // A probe with a wrong key is told what one without a key is.
    const isInside = await request.maySeeInside().catch(() => false);
    return (model: AskedModel): AskedModel =>
      isInside ? model : { ...model, coordinators: model.coordinators.map(anonymousStatus) };
  };
  app.get("/ready", async (request, reply) => {
    const { model } = parseRequest(modelQuerySchema, request.query);
    try {
      if (isStopping) throw new RhoneError("SHUTTING_DOWN", "The gateway is stopping, and finishes what it has begun.");
      const asked = model === undefined ? await models.all() : [await models.find(model)];
      return probed(reply, { status: "ready", models: readiness(asked.map(await shown(request))) });
    } catch (error) {
      const named = toRhoneError(error);
      // Of a model that nobody has: a bad request rather than a gateway that is not ready.
      if (named.row.http === 404) throw named;
      return probed(reply.code(503).headers(errorHeaders(named)), { status: "not_ready", reason: named.message });
    }
  });
  if (uses.opsless) return;
  const { registry } = uses.metrics;
  app.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await uses.pages.page()));
  app.get("/metrics/targets", async (request) => {
    if (!(await request.maySeeInside())) throw new RhoneError("INVALID_API_KEY", ADDRESSES);
    const [gateways, coordinators] = await Promise.all([uses.records.gateways(), uses.cluster.coordinators()]);
    return scrapeTargets({ gateways, coordinators, isSecure: uses.tlsCert !== undefined });
  });
  app.get("/status", async (request) => {
    const isInside = await request.maySeeInside();
    const coordinators = await uses.cluster.coordinators();
    return {
      coordinators: isInside ? coordinators : coordinators.map(anonymousStatus),
      gateway: {
        ...(isInside && { id: uses.gatewayId, pid: process.pid }),
        models: (await models.all()).map(served),
        startedAtMs,
      },
    };
  });
}

const ADDRESSES =
  "The addresses of the cluster are for an API key or the cluster's secret, as Authorization: Bearer …; Prometheus' " +
  "http_sd_configs send one with authorization.credentials_file.";

/** A model of the gateway, and how many coordinators serve it. */
const served = ({ text, coordinators }: AskedModel) => ({
  name: text.name,
  coordinators: coordinators.length,
  ready: coordinators.filter(({ state }) => state === "ready").length,
});

/** Each model's state by its name: "ready", or why it is not. Throws NO_PIPELINE where none is. */
function readiness(models: readonly AskedModel[]): Readonly<Record<string, string>> {
  const problems = models.map((model) => problemOf(model));
  const reasons = problems.filter((problem) => problem !== null);
  if (reasons.length === models.length) throw new RhoneError("NO_PIPELINE", reasons.join(" "));
  return Object.fromEntries(models.map(({ text }, at) => [text.name, problems[at] ?? "ready"]));
}

function problemOf(model: AskedModel): string | null {
  try {
    readyCoordinator(model);
    return null;
  } catch (error) {
    return toRhoneError(error).message;
  }
}

/** Written at once: in the line of the answers that wait, a probe would come behind the refusals of 500 clients. */
const probed = (reply: FastifyReply, state: object): FastifyReply =>
  reply.type("application/json; charset=utf-8").send(JSON.stringify(state));
