import type { IncomingHttpHeaders } from "node:http";
import type { ApiKey } from "@rhone/common";
import type { Caller, Limits } from "../admission/caller.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { RequestError } from "../request-error.js";

const BEARER = /^Bearer +(\S+) *$/i;

/** Whose request it is. Throws INVALID_API_KEY where keys are asked for and none that is valid came; REDIS_UNAVAILABLE. */
export async function authenticate(
  { keyRing, defaultLimits, metrics }: Pick<GatewayDeps, "keyRing" | "defaultLimits" | "metrics">,
  headers: IncomingHttpHeaders,
): Promise<Caller> {
  if (keyRing === null) return { owner: "", limits: limitsOf(null, defaultLimits) };
  const secret = secretIn(headers);
  const key = secret === undefined ? null : await keyRing.find(secret);
  if (key !== null) return { owner: key.name, limits: limitsOf(key, defaultLimits) };
  metrics.refused.inc({ reason: secret === undefined ? "no_key" : "wrong_key" });
  throw refusal(secret, await keyRing.isEmpty());
}

/** `Authorization: Bearer …` as OpenAI's and Mistral's clients send it, or `x-api-key`. */
function secretIn(headers: IncomingHttpHeaders): string | undefined {
  const other = headers["x-api-key"];
  return BEARER.exec(headers.authorization ?? "")?.[1] ?? (typeof other === "string" ? other : undefined);
}

function limitsOf(key: ApiKey | null, defaults: Limits): Limits {
  const limit = (own: number | null | undefined, usual: number | null) => (own === 0 ? null : (own ?? usual));
  return {
    requests: limit(key?.requestsPerMinute, defaults.requests),
    tokens: limit(key?.tokensPerMinute, defaults.tokens),
  };
}

function refusal(secret: string | undefined, isEmpty: boolean): RequestError {
  const problem =
    secret === undefined
      ? "This gateway asks for an API key: send Authorization: Bearer rhone_sk_…"
      : "The API key is not valid here.";
  const hint = isEmpty ? " No key exists yet; `rhone keys create NAME` makes the first." : "";
  return new RequestError("INVALID_API_KEY", problem + hint, { headers: { "www-authenticate": "Bearer" } });
}
