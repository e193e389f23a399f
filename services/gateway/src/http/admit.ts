import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance } from "fastify";
import { anonymous, type Caller, callerOf, type Limits } from "../admission/caller.js";
import type { KeyRing } from "../admission/key-ring.js";
import { RequestError } from "../request-error.js";
import { isGeneration, operationOf } from "./openapi/operations.js";
import { type Limiting, limitRequests } from "./rate-limiting.js";

/** What admitting requests takes. */
export interface Admission extends Limiting {
  /** null: no API keys are required. */
  readonly keyRing: Pick<KeyRing, "find" | "isEmpty"> | null;
  /** For callers whose key has none of its own. */
  readonly defaultLimits: Limits;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set before any handler runs. */
    caller: Caller;
  }
}

/**
 * Before the handlers of the scope: whose request it is, and whether that caller may send another. Health, metrics and
 * status are open; every other route, also one without an entry among the operations, needs a caller.
 */
export function admit(scope: FastifyInstance, admission: Admission): void {
  scope.decorateRequest("caller", null as unknown as Caller);
  // Before the body is read: a client that is refused need not send it.
  scope.addHook("onRequest", async (request, reply) => {
    const operation = operationOf(request);
    if (operation?.tag === "operations") return;
    request.caller = await authenticate(admission, request.headers);
    const isLimited = request.caller.limits.requests !== null;
    if (isLimited && isGeneration(operation)) await limitRequests(admission, reply);
  });
}

/** The caller. Throws INVALID_API_KEY where keys are required and no valid one came; REDIS_UNAVAILABLE. */
async function authenticate(admission: Admission, headers: IncomingHttpHeaders): Promise<Caller> {
  const { keyRing, defaultLimits, metrics } = admission;
  if (keyRing === null) return anonymous(defaultLimits);
  const secret = secretIn(headers);
  const key = secret === undefined ? null : await keyRing.find(secret);
  if (key !== null) return callerOf(key, defaultLimits);
  metrics.refused.inc({ reason: secret === undefined ? "no_key" : "wrong_key" });
  throw refusal(secret, await keyRing.isEmpty());
}

const BEARER = /^Bearer +(\S+) *$/i;

/** `Authorization: Bearer …`, which OpenAI's and Mistral's clients send, or `x-api-key`. */
function secretIn(headers: IncomingHttpHeaders): string | undefined {
  const other = headers["x-api-key"];
  return BEARER.exec(headers.authorization ?? "")?.[1] ?? (typeof other === "string" ? other : undefined);
}

function refusal(secret: string | undefined, isEmpty: boolean): RequestError {
  const problem =
    secret === undefined
      ? "This gateway requires an API key: send Authorization: Bearer rhone_sk_…"
      : "This API key does not exist or was revoked; `rhone keys list` shows the valid ones.";
  const hint = isEmpty ? " No key exists yet; `rhone keys create NAME` creates the first." : "";
  return new RequestError("INVALID_API_KEY", problem + hint, { headers: { "www-authenticate": "Bearer" } });
}
