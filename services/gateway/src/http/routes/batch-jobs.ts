import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { batchJobListSchema, batchJobQuerySchema, batchJobRequestSchema } from "../../batches/batch-request.js";
import { toMistralJob } from "../../batches/batch-views.js";
import { inlineResults } from "../../batches/inline-results.js";
import { type BatchesUse, cancelBatch, keepRequests, newBatch, ownBatch, ownJobs } from "../../batches/own-batches.js";
import { refuseParam } from "../../request-error.js";
import { parseLongRequest, parseRequest, refuseFilters } from "../../requests/request-fields.js";
import { leavingOf } from "../leaving.js";

const DEFAULT_HOURS = 24;

export interface BatchJobsUse extends BatchesUse {
  /** Most bytes of results in an answer. */
  readonly bodyLimitBytes: number;
}

interface ById {
  readonly Params: { readonly id: string };
}

/** The same batches as Mistral's jobs: POST, GET /v1/batch/jobs; GET …/:id; POST …/:id/cancel. */
export function batchJobs(app: FastifyInstance, uses: BatchJobsUse): void {
  const { batches: store, files, bodyLimitBytes } = uses;
  app.post("/v1/batch/jobs", async ({ body, span, caller: { owner } }) => {
    const asked = await parseLongRequest(batchJobRequestSchema, body);
    if (asked.input_files !== undefined && asked.requests !== undefined)
      refuseParam("requests", ": send them or input_files, not both.");
    const hours = asked.timeout_hours ?? DEFAULT_HOURS;
    const batch = await newBatch(uses, {
      owner,
      format: "mistral",
      endpoint: asked.endpoint,
      model: asked.model ?? null,
      inputFileIds: asked.input_files ?? [await keepRequests(uses, asked.requests, owner)],
      fileParam: "input_files",
      completionWindow: `${hours}h`,
      windowS: hours * 3600,
      metadata: asked.metadata ?? null,
      outputExpiresAfterS: null,
      ...(span !== null && { trace: span.carrier }),
    });
    span?.set({ "rhone.batch": batch.id });
    return toMistralJob(batch, null);
  });
  app.get("/v1/batch/jobs", async ({ query, caller: { owner } }, reply) => {
    refuseFilters(query, ["metadata", "agent_id"]);
    return ownJobs(store, parseRequest(batchJobListSchema, query), { owner, leaving: leavingOf(reply) });
  });
  app.get<ById>("/v1/batch/jobs/:id", async ({ params: { id }, query, caller: { owner } }, reply) => {
    const { inline } = parseRequest(batchJobQuerySchema, query);
    const { batch, cancelledAt } = await ownBatch(store, id, { owner, leaving: leavingOf(reply) });
    const job = toMistralJob(batch, cancelledAt);
    if (inline !== true) return job;
    const results = await inlineResults(files, job, bodyLimitBytes);
    return reply.type("application/json; charset=utf-8").send(Readable.from(results, { objectMode: false }));
  });
  app.post<ById>("/v1/batch/jobs/:id/cancel", async ({ params: { id }, caller: { owner } }) => {
    const { batch, cancelledAt } = await cancelBatch(store, id, { owner });
    return toMistralJob(batch, cancelledAt);
  });
}
