import type { FastifyInstance } from "fastify";
import { type ClusterState, checkName } from "../../queue/cluster-state.js";
import type { TextModel } from "../../text/text-model.js";

export interface ModelsUse {
  readonly model: Pick<TextModel, "name" | "aliases" | "fillInMiddle">;
  readonly cluster: ClusterState;
}

/** GET /v1/models and /v1/models/:id, with the fields of OpenAI and of Mistral. */
export function models(app: FastifyInstance, { model: served, cluster }: ModelsUse): void {
  const describe = async () => {
    const [coordinator] = await cluster.coordinators();
    const contextLength = coordinator?.model.contextLength ?? null;
    return {
      id: served.name,
      object: "model",
      created: Math.floor((coordinator?.startedAtMs ?? Date.now()) / 1000),
      owned_by: "rhone",
      root: coordinator?.model.name ?? served.name,
      max_model_len: contextLength,
      type: "base",
      max_context_length: contextLength,
      aliases: served.aliases,
      capabilities: {
        completion_chat: true,
        completion_fim: served.fillInMiddle !== undefined,
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
