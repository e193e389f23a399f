import type { FastifyInstance } from "fastify";
import type { AskedModel, ServedModels } from "../../models/served-models.js";

export interface ModelsUse {
  readonly models: Pick<ServedModels, "all" | "find">;
}

/** GET /v1/models and /v1/models/:id, with the fields of OpenAI and of Mistral. */
export function models(app: FastifyInstance, { models: served }: ModelsUse): void {
  app.get("/v1/models", async () => ({ object: "list", data: (await served.all()).map(describe) }));
  app.get<{ Params: { "*": string } }>("/v1/models/*", async ({ params }) => describe(await served.find(params["*"])));
}

function describe({ text, coordinators }: AskedModel) {
  const [coordinator] = coordinators;
  const contextLength = coordinator?.model.contextLength ?? null;
  return {
    id: text.name,
    object: "model",
    created: Math.floor((coordinator?.startedAtMs ?? Date.now()) / 1000),
    owned_by: "rhone",
    root: coordinator?.model.name ?? text.name,
    ready: coordinators.some(({ state }) => state === "ready"),
    max_model_len: contextLength,
    type: "base",
    max_context_length: contextLength,
    aliases: text.aliases,
    capabilities: {
      completion_chat: true,
      completion_fim: text.fillInMiddle !== undefined,
      function_calling: true,
      fine_tuning: false,
      vision: false,
    },
  };
}
