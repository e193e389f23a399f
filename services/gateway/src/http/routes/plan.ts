import { RhoneError } from "@rhone/common";
import type { FastifyInstance } from "fastify";
import type { ServedModels } from "../../models/served-models.js";
import { planRequestSchema, whatIf } from "../../plans/what-if.js";
import { RequestError } from "../../request-error.js";
import { parseRequest } from "../../requests/request-fields.js";

export interface PlanUse {
  readonly models: Pick<ServedModels, "find">;
}

/** POST /v1/plan: how workers that are not there would share a served model. */
export function plan(app: FastifyInstance, { models }: PlanUse): void {
  app.post("/v1/plan", async ({ body }) => {
    const asked = parseRequest(planRequestSchema, body);
    const { text, summary, coordinators } = await models.find(asked.model);
    const model = await summary();
    try {
      return whatIf({ name: text.name, model, pipelines: coordinators, asked });
    } catch (error) {
      // The workers of the question are too small, not those of the cluster: asking again would not help.
      if (!(error instanceof RhoneError) || error.code !== "NOT_ENOUGH_MEMORY") throw error;
      throw new RequestError("INVALID_REQUEST", error.message, { apiCode: "not_enough_memory" });
    }
  });
}
