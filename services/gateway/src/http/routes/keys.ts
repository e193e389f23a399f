import { type ApiKey, type ApiKeyStore, type Logger, newApiKey, RhoneError, withinLook } from "@rhone/common";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { parseRequest } from "../../requests/request-fields.js";
import { keyRequestSchema } from "../openapi/key-schemas.js";

export interface KeysUse {
  readonly keys: Pick<ApiKeyStore, "add" | "list" | "revoke">;
  readonly logger: Logger;
}

interface ById {
  readonly Params: { readonly id: string };
}

/** For admins: GET and POST /v1/keys, DELETE /v1/keys/:id. What `rhone keys` does, at the same place in Redis. */
export function keys(app: FastifyInstance, { keys: store, logger }: KeysUse): void {
  app.get("/v1/keys", async (request) => {
    forAdmins(request);
    return { object: "list", data: (await withinLook(store.list())).map(shown) };
  });
  app.post("/v1/keys", async (request) => {
    forAdmins(request);
    const { name, requests_per_minute, tokens_per_minute, admin } = parseRequest(keyRequestSchema, request.body);
    const limits = { requestsPerMinute: requests_per_minute ?? null, tokensPerMinute: tokens_per_minute ?? null };
    const { key, secret } = newApiKey({ name, ...limits, ...(admin === true && { isAdmin: true }) });
    await store.add(key);
    logger.info({ key: key.id, name, admin: admin === true, by: request.caller.owner }, "API key made");
    return { ...shown(key), secret };
  });
  app.delete<ById>("/v1/keys/:id", async (request) => {
    forAdmins(request);
    const { id } = request.params;
    // Not by name, which would revoke all of that name.
    const isThere = (await store.list()).some((key) => key.id === id);
    if (!isThere) throw new RhoneError("NOT_FOUND", `There is no key ${id}.`);
    await store.revoke(id);
    logger.info({ key: id, by: request.caller.owner }, "API key revoked");
    return { id, object: "key", deleted: true };
  });
}

function forAdmins({ mayAdminister }: FastifyRequest): void {
  if (mayAdminister) return;
  const who = "Only an API key that was made with --admin, or the cluster's secret, manages keys.";
  throw new RhoneError("FORBIDDEN", who);
}

/** A key without its digest. */
const shown = ({ id, name, requestsPerMinute, tokensPerMinute, isAdmin, createdAt }: ApiKey) => ({
  id,
  object: "key",
  name,
  requests_per_minute: requestsPerMinute,
  tokens_per_minute: tokensPerMinute,
  admin: isAdmin === true,
  created_at: createdAt,
});
