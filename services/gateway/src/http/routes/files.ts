import multipart from "@fastify/multipart";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { owned } from "../../admission/caller.js";
import { fileListSchema } from "../../batches/batch-request.js";
import type { BatchStore } from "../../batches/batch-store.js";
import { refuseUsed } from "../../batches/own-batches.js";
import { pageOf } from "../../files/file-pages.js";
import type { FileQuota } from "../../files/file-quota.js";
import { toFileObject } from "../../files/file-record.js";
import type { FileStore } from "../../files/file-store.js";
import { parseRequest, refuseFilters } from "../../requests/request-fields.js";
import { SharedRead } from "../../storage/shared-read.js";
import { claimKey, type IdempotencyUse } from "../idempotency.js";
import { describeUpload, receiveFile } from "../receive-file.js";

export interface FilesUse extends IdempotencyUse {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly quota: FileQuota;
  readonly fileLimitBytes: number;
}

interface ById {
  readonly Params: { readonly id: string };
}

/** POST, GET /v1/files; GET, DELETE /v1/files/:id; GET /v1/files/:id/content. */
export function files(app: FastifyInstance, uses: FilesUse): void {
  const { files: store, batches, quota, fileLimitBytes } = uses;
  app.register(async (scope) => {
    await scope.register(multipart);
    scope.post("/v1/files", (request, reply) => {
      const { owner } = request.caller;
      return quota.within(owner, async (room) => {
        const received = await receiveFile(request, { files: store, mostBytes: fileLimitBytes, room });
        try {
          const about = describeUpload(received, owner);
          await claimKey(uses, { request, reply, content: received.digest });
          if (reply.sent) {
            await received.unfinished.discard();
            return reply;
          }
          await room.check();
          return toFileObject(await store.commit(received.unfinished, about));
        } catch (error) {
          await received.unfinished.discard().catch(() => {});
          throw error;
        }
      });
    });
  });
  const find = async ({ params, caller }: FastifyRequest<ById>) => {
    return owned(caller.owner, "file", await store.get(params.id));
  };
  const pages = new SharedRead<Awaited<ReturnType<typeof pageOf>>>();
  app.get("/v1/files", ({ query, caller: { owner } }) => {
    const asked = parseRequest(fileListSchema, query);
    refuseFilters(query, ["sample_type", "source", "search", "mimetypes"]);
    return pages.get(JSON.stringify([owner, asked]), () => pageOf(store, asked, { owner }));
  });
  app.get<ById>("/v1/files/:id", async (request) => toFileObject(await find(request)));
  app.get<ById>("/v1/files/:id/content", async (request, reply) => {
    const { id, bytes } = await find(request);
    const content = await store.read(id);
    return reply.headers({ "content-type": "application/octet-stream", "content-length": bytes }).send(content);
  });
  app.delete<ById>("/v1/files/:id", async (request) => {
    const { id } = await find(request);
    await refuseUsed(batches, id, request.caller);
    await store.delete(id);
    return { id, object: "file", deleted: true };
  });
}
