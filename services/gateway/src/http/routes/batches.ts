import type { FastifyInstance } from "fastify";
import { batchListSchema, batchRequestSchema } from "../../batches/batch-request.js";
import { toOpenAiBatch } from "../../batches/batch-views.js";
import {
  type BatchesUse,
  cancelBatch,
  newBatch,
  type OwnBatch,
  ownBatch,
  ownBatches,
} from "../../batches/own-batches.js";
import { parseRequest } from "../../requests/request-fields.js";
import { leavingOf } from "../leaving.js";

const DEFAULT_LIMIT = 20;

interface ById {
  readonly Params: { readonly id: string };
}

/** OpenAI's batches: POST, GET /v1/batches; GET /v1/batches/:id; POST /v1/batches/:id/cancel. */
export function batches(app: FastifyInstance, uses: BatchesUse): void {
  const { batches: store } = uses;
  app.post("/v1/batches", async ({ body, span, caller: { owner } }) => {
    const asked = parseRequest(batchRequestSchema, body);
    const batch = await newBatch(uses, {
      owner,
      format: "openai",
      endpoint: asked.endpoint,
      model: null,
      inputFileIds: [asked.input_file_id],
      fileParam: "input_file_id",
      completionWindow: asked.completion_window.text,
      windowS: asked.completion_window.seconds,
      metadata: asked.metadata ?? null,
      outputExpiresAfterS: asked.output_expires_after?.seconds ?? null,
      ...(span !== null && { trace: span.carrier }),
    });
    span?.set({ "rhone.batch": batch.id });
    return toOpenAiBatch(batch, null);
  });
  app.get("/v1/batches", async ({ query, caller: { owner } }, reply) => {
    const { after, limit = DEFAULT_LIMIT } = parseRequest(batchListSchema, query);
    const reader = { owner, leaving: leavingOf(reply) };
    const found = await ownBatches(store, { ...reader, after, most: limit + 1 });
    const page = found.slice(0, limit);
    const cancelled = await store.cancelledAll(
      page.map(({ id }) => id),
      reader,
    );
    const data = page.map((batch, place) => toOpenAiBatch(batch, cancelled[place] ?? null));
    const ends = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
    return { object: "list", data, ...ends, has_more: found.length > limit };
  });
  app.get<ById>("/v1/batches/:id", async ({ params: { id }, caller: { owner } }, reply) =>
    viewOf(await ownBatch(store, id, { owner, leaving: leavingOf(reply) })),
  );
  app.post<ById>("/v1/batches/:id/cancel", async ({ params: { id }, caller: { owner } }) =>
    viewOf(await cancelBatch(store, id, { owner })),
  );
}

const viewOf = ({ batch, cancelledAt }: OwnBatch) => toOpenAiBatch(batch, cancelledAt);
