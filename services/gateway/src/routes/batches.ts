import type { FastifyInstance } from "fastify";
import { batchListSchema, batchRequestSchema, windowSeconds } from "../api/batch-request.js";
import { parseRequest } from "../api/parse-request.js";
import type { BatchRecord } from "../batches/batch-record.js";
import { newBatch } from "../batches/new-batch.js";
import { toOpenAiBatch } from "../batches/openai-batch.js";
import type { GatewayDeps } from "../gateway-deps.js";

const DEFAULT_LIMIT = 20;

interface ById {
  readonly Params: { readonly id: string };
}

/** OpenAI's batches: POST, GET /v1/batches; GET /v1/batches/:id; POST /v1/batches/:id/cancel. */
export function batches(app: FastifyInstance, deps: GatewayDeps): void {
  const { batches: store } = deps;
  const viewOf = async (batch: BatchRecord) => toOpenAiBatch(batch, await store.cancelledAt(batch.id));
  const view = async (id: string) => viewOf(await store.get(id));
  app.post("/v1/batches", async ({ body }) => {
    const asked = parseRequest(batchRequestSchema, body);
    const batch = await newBatch(deps, {
      format: "openai",
      endpoint: asked.endpoint,
      model: null,
      inputFileIds: [asked.input_file_id],
      fileParam: "input_file_id",
      completionWindow: asked.completion_window,
      windowS: windowSeconds(asked.completion_window),
      metadata: asked.metadata ?? null,
      outputExpiresAfterS: asked.output_expires_after?.seconds ?? null,
    });
    return toOpenAiBatch(batch, null);
  });
  app.get("/v1/batches", async ({ query }) => {
    const { after, limit = DEFAULT_LIMIT } = parseRequest(batchListSchema, query);
    const ids = await store.ids();
    const start = after === undefined ? 0 : ids.indexOf(after) + 1;
    const data = await Promise.all((await store.getAll(ids.slice(start, start + limit))).map(viewOf));
    const ends = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
    return { object: "list", data, ...ends, has_more: start + limit < ids.length };
  });
  app.get<ById>("/v1/batches/:id", async ({ params }) => view(params.id));
  app.post<ById>("/v1/batches/:id/cancel", async ({ params }) => {
    await cancelBatch(deps, params.id);
    return view(params.id);
  });
}

/** Asks for it, unless the batch is over. Throws NOT_FOUND. */
export async function cancelBatch({ batches: store }: GatewayDeps, id: string): Promise<void> {
  const open = await store.openIds();
  await store.get(id);
  if (open.includes(id)) await store.requestCancel(id);
}
