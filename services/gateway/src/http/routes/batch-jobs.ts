import type { FastifyInstance } from "fastify";
import { isOwnedBy, owned } from "../../admission/owned.js";
import { type BatchJobRequest, batchJobListSchema, batchJobRequestSchema } from "../../batches/batch-request.js";
import { toMistralJob } from "../../batches/mistral-job.js";
import { newBatch } from "../../batches/new-batch.js";
import { readLines } from "../../files/read-lines.js";
import type { GatewayDeps } from "../../gateway-deps.js";
import { RequestError, unsupported } from "../../request-error.js";
import { parseRequest } from "../../requests/parse-request.js";
import { cancelBatch } from "./batches.js";

const DEFAULT_HOURS = 24;
const DEFAULT_PAGE = 100;

interface ById {
  readonly Params: { readonly id: string };
  readonly Querystring: { readonly inline?: string };
}

/** Mistral's batch jobs, the same batches: POST, GET /v1/batch/jobs; GET /v1/batch/jobs/:id; POST /v1/batch/jobs/:id/cancel. */
export function batchJobs(app: FastifyInstance, deps: GatewayDeps): void {
  const { batches: store } = deps;
  app.post("/v1/batch/jobs", async ({ body, caller: { owner } }) => {
    const asked = parseRequest(batchJobRequestSchema, body);
    const inputFileIds = asked.input_files ?? [await keepRequests(deps, asked.requests, owner)];
    const hours = asked.timeout_hours ?? DEFAULT_HOURS;
    const batch = await newBatch(deps, {
      owner,
      format: "mistral",
      endpoint: asked.endpoint,
      model: asked.model ?? null,
      inputFileIds,
      fileParam: "input_files",
      completionWindow: `${hours}h`,
      windowS: hours * 3600,
      metadata: asked.metadata ?? null,
      outputExpiresAfterS: null,
    });
    return toMistralJob(batch, null);
  });
  app.get("/v1/batch/jobs", async ({ query, caller }) => listJobs(deps, query, caller.owner));
  app.get<ById>("/v1/batch/jobs/:id", async ({ params: { id }, query: { inline }, caller }) => {
    const batch = owned(caller.owner, "batch", await store.get(id));
    const outputs = inline === "true" ? await readOutputs(deps, batch.outputFileId) : null;
    return toMistralJob(batch, await store.cancelledAt(id), outputs);
  });
  app.post<ById>("/v1/batch/jobs/:id/cancel", async ({ params: { id }, caller: { owner } }) => {
    await cancelBatch(deps, id, owner);
    return toMistralJob(await store.get(id), await store.cancelledAt(id));
  });
}

/** Requests that came in the job become its input file. */
async function keepRequests(
  { files }: GatewayDeps,
  requests: BatchJobRequest["requests"],
  owner: string,
): Promise<string> {
  if (requests === undefined) {
    throw new RequestError("INVALID_REQUEST", "input_files: name a file, or send requests.", { param: "input_files" });
  }
  const draft = await files.draft();
  await draft.write(Buffer.from(requests.map((request) => `${JSON.stringify(request)}\n`).join("")));
  const about = { filename: "requests.jsonl", purpose: "batch", kind: "request", expiresAt: null, owner } as const;
  const { id } = await files.commit(draft, { createdAt: Math.floor(Date.now() / 1000), ...about });
  return id;
}

async function listJobs({ batches: store }: GatewayDeps, query: unknown, owner: string) {
  if ((query as { metadata?: unknown }).metadata !== undefined) {
    throw unsupported("metadata", "metadata: jobs can't be found by it; leave it out.");
  }
  const { page = 0, page_size = DEFAULT_PAGE, ...filter } = parseRequest(batchJobListSchema, query);
  const ids = filter.order_by === "created" ? [...(await store.ids())].reverse() : await store.ids();
  const records = (await store.getAll(ids)).filter((batch) => isOwnedBy(owner, batch));
  const jobs = await Promise.all(records.map(async (job) => toMistralJob(job, await store.cancelledAt(job.id))));
  const afterS = (filter.created_after?.getTime() ?? 0) / 1000;
  const found = jobs.filter(
    ({ model, status, created_at }) =>
      (filter.model === undefined || model === filter.model) &&
      (filter.status === undefined || filter.status.includes(status)) &&
      created_at >= afterS,
  );
  return { object: "list", data: found.slice(page * page_size, (page + 1) * page_size), total: found.length };
}

/** The lines of an output file that is no larger than a request may be. */
async function readOutputs({ files, bodyLimitBytes }: GatewayDeps, id: string | null): Promise<readonly unknown[]> {
  if (id === null) return [];
  const { bytes } = await files.get(id);
  if (bytes > bodyLimitBytes) {
    const message = `inline: the results have ${bytes} bytes; fetch them from /v1/files/${id}/content.`;
    throw new RequestError("INVALID_REQUEST", message, { param: "inline" });
  }
  const outputs: unknown[] = [];
  for await (const { text } of readLines(await files.read(id), bytes)) outputs.push(JSON.parse(text ?? "null"));
  return outputs;
}
