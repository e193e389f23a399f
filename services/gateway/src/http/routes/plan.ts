import type { FastifyInstance } from "fastify";
import type { ServedModels } from "../../models/served-models.js";
import { planRequestSchema, whatIf } from "../../plans/what-if.js";
import { parseRequest } from "../../requests/request-fields.js";

export interface PlanUse {
  readonly models: Pick<ServedModels, "find">;
}

/** POST /v1/plan: how workers that are not there would share a served model. */
export function plan(app: FastifyInstance, { models }: PlanUse): void {
  app.post("/v1/plan", async ({ body }) => {
    const asked = parseRequest(planRequestSchema, body);
    const { text, summary, coordinators } = await models.find(asked.model);
    return whatIf({ name: text.name, model: await summary(), pipelines: coordinators, asked });
  });
}
