import type { FastifyInstance } from "fastify";
import type { GatewayDeps } from "../../gateway-deps.js";
import { checkName } from "../../requests/served-model.js";

/** GET /v1/models and /v1/models/:id, with the fields of OpenAI and of Mistral. */
export function models(app: FastifyInstance, deps: GatewayDeps): void {
  const describe = async () => {
    const [coordinator] = await deps.cluster.coordinators();
    const contextLength = coordinator?.model.contextLength ?? null;
    return {
      id: deps.model.name,
      object: "model",
      created: Math.floor((coordinator?.startedAtMs ?? Date.now()) / 1000),
      owned_by: "rhone",
      root: coordinator?.model.name ?? deps.model.name,
      max_model_len: contextLength,
      type: "base",
      max_context_length: contextLength,
      aliases: deps.model.aliases,
      capabilities: {
        completion_chat: true,
        completion_fim: deps.model.fillInMiddle !== undefined,
        function_calling: true,
        fine_tuning: false,
        vision: false,
      },
    };
  };
  app.get("/v1/models", async () => ({ object: "list", data: [await describe()] }));
  app.get<{ Params: { "*": string } }>("/v1/models/*", async ({ params }) => {
    const model = await describe();
    checkName(params["*"], [model.id, ...model.aliases, model.root]);
    return model;
  });
}
