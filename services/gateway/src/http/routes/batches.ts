import type { FastifyInstance } from "fastify";
import { isOwnedBy, owned } from "../../admission/owned.js";
import type { BatchRecord } from "../../batches/batch-record.js";
import { batchListSchema, batchRequestSchema, windowSeconds } from "../../batches/batch-request.js";
import type { BatchStore } from "../../batches/batch-store.js";
import { newBatch } from "../../batches/new-batch.js";
import { toOpenAiBatch } from "../../batches/openai-batch.js";
import type { GatewayDeps } from "../../gateway-deps.js";
import { parseRequest } from "../../requests/parse-request.js";

const DEFAULT_LIMIT = 20;

interface ById {
  readonly Params: { readonly id: string };
}

/** OpenAI's batches: POST, GET /v1/batches; GET /v1/batches/:id; POST /v1/batches/:id/cancel. */
export function batches(app: FastifyInstance, deps: GatewayDeps): void {
  const { batches: store } = deps;
  const viewOf = async (batch: BatchRecord) => toOpenAiBatch(batch, await store.cancelledAt(batch.id));
  app.post("/v1/batches", async ({ body, caller: { owner } }) => {
    const asked = parseRequest(batchRequestSchema, body);
    const batch = await newBatch(deps, {
      owner,
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
  app.get("/v1/batches", async ({ query, caller: { owner } }) => {
    const { after, limit = DEFAULT_LIMIT } = parseRequest(batchListSchema, query);
    const found = await ownBatches(store, { owner, after, most: limit + 1 });
    const data = await Promise.all(found.slice(0, limit).map(viewOf));
    const ends = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
    return { object: "list", data, ...ends, has_more: found.length > limit };
  });
  app.get<ById>("/v1/batches/:id", async ({ params: { id }, caller: { owner } }) => {
    return viewOf(owned(owner, "batch", await store.get(id)));
  });
  app.post<ById>("/v1/batches/:id/cancel", async ({ params: { id }, caller: { owner } }) => {
    await cancelBatch(deps, id, owner);
    return viewOf(await store.get(id));
  });
}

interface OwnBatches {
  readonly owner: string;
  /** Those behind this one. */
  readonly after: string | undefined;
  readonly most: number;
}

/** The owner's batches, newest first; reads no more records than it has to. */
async function ownBatches(store: BatchStore, { owner, after, most }: OwnBatches): Promise<readonly BatchRecord[]> {
  const ids = await store.ids();
  const found: BatchRecord[] = [];
  for (let at = after === undefined ? 0 : ids.indexOf(after) + 1; at < ids.length && found.length < most; at += most) {
    const records = await store.getAll(ids.slice(at, at + most));
    found.push(...records.filter((batch) => isOwnedBy(owner, batch)));
  }
  return found.slice(0, most);
}

/** Asks for it, unless the batch is over. Throws NOT_FOUND, also for another's. */
export async function cancelBatch({ batches: store }: GatewayDeps, id: string, owner: string): Promise<void> {
  const open = await store.openIds();
  owned(owner, "batch", await store.get(id));
  if (open.includes(id)) await store.requestCancel(id);
}
