import multipart from "@fastify/multipart";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isOwnedBy, owned } from "../../admission/owned.js";
import { expiresAfterSchema, fileListSchema } from "../../batches/batch-request.js";
import type { FileDescription } from "../../files/file-store.js";
import { toFileObject } from "../../files/file-view.js";
import type { GatewayDeps } from "../../gateway-deps.js";
import { RequestError } from "../../request-error.js";
import { parseRequest } from "../../requests/parse-request.js";
import { type ReceivedFile, receiveFile } from "../receive-file.js";

interface ById {
  readonly Params: { readonly id: string };
}

/** POST, GET /v1/files; GET, DELETE /v1/files/:id; GET /v1/files/:id/content. */
export function files(app: FastifyInstance, deps: GatewayDeps): void {
  const { files: store } = deps;
  app.register(async (scope) => {
    await scope.register(multipart);
    scope.post("/v1/files", async (request) => {
      const received = await receiveFile(request, store, deps.fileLimitBytes);
      try {
        return toFileObject(await store.commit(received.draft, describeUpload(received, request.caller.owner)));
      } catch (error) {
        await received.draft.discard().catch(() => {});
        throw error;
      }
    });
  });
  const find = async ({ params, caller }: FastifyRequest<ById>) => {
    return owned(caller.owner, "file", await store.get(params.id));
  };
  app.get("/v1/files", async ({ query, caller }) => listFiles(deps, query, caller.owner));
  app.get<ById>("/v1/files/:id", async (request) => toFileObject(await find(request)));
  app.get<ById>("/v1/files/:id/content", async (request, reply) => {
    const { params } = request;
    const { bytes } = await find(request);
    const content = await store.read(params.id);
    return reply.headers({ "content-type": "application/octet-stream", "content-length": bytes }).send(content);
  });
  app.delete<ById>("/v1/files/:id", async (request) => {
    const { id } = await find(request);
    await refuseUsed(deps, id);
    await store.delete(id);
    return { id, object: "file", deleted: true };
  });
}

function describeUpload({ filename, fields }: ReceivedFile, owner: string): FileDescription {
  const { purpose } = fields;
  if (purpose !== "batch") {
    const message = `purpose: must be "batch"${purpose === undefined ? "" : `, not "${purpose}"`}.`;
    throw new RequestError("INVALID_REQUEST", message, { param: "purpose" });
  }
  const createdAt = Math.floor(Date.now() / 1000);
  const [anchor, seconds] = [fields["expires_after[anchor]"], fields["expires_after[seconds]"]];
  const expires = anchor !== undefined || seconds !== undefined;
  const after = expires ? parseRequest(expiresAfterSchema, { anchor, seconds }).seconds : null;
  const expiresAt = after === null ? null : createdAt + after;
  return { filename, purpose, kind: "request", createdAt, expiresAt, owner };
}

/** OpenAI's list goes on `after` an id, Mistral's by pages. */
async function listFiles({ files: store }: GatewayDeps, query: unknown, owner: string) {
  const { purpose, limit, order, after, page, page_size } = parseRequest(fileListSchema, query);
  const ids = order === "asc" ? [...(await store.ids())].reverse() : await store.ids();
  const records = await Promise.all(ids.map((id) => store.get(id).catch(() => null)));
  const found = records.filter(
    (file) => file !== null && isOwnedBy(owner, file) && (purpose === undefined || file.purpose === purpose),
  );
  const size = page_size ?? limit ?? (page === undefined ? 10_000 : 100);
  const start = after === undefined ? (page ?? 0) * size : found.findIndex((file) => file?.id === after) + 1;
  const data = found.slice(start, start + size).flatMap((file) => (file === null ? [] : [toFileObject(file)]));
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: start + size < found.length,
    total: found.length,
  };
}

async function refuseUsed({ batches }: GatewayDeps, fileId: string): Promise<void> {
  for (const id of await batches.openIds()) {
    const batch = await batches.get(id).catch(() => null);
    if (batch?.inputFileIds.includes(fileId) !== true) continue;
    throw new RequestError("INVALID_REQUEST", `${id} reads ${fileId}; cancel it or wait for its end.`);
  }
}
