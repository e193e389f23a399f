import type { IncomingHttpHeaders } from "node:http";
import { bearerOf, isSecret, SECRET_HEADER, timed, withinLook } from "@rhone/common";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { anonymous, type Caller, callerOf, type Limits } from "../admission/caller.js";
import { FailedKeys } from "../admission/failed-keys.js";
import { isLoopback, type KeyRing } from "../admission/key-ring.js";
import { RequestError } from "../request-error.js";
import { isGeneration, operationOf } from "./openapi/operations.js";
import { type Limiting, limitRequests, retryAfter } from "./rate-limiting.js";

/** What admitting requests takes. */
export interface Admission extends Limiting {
  /** null: no API keys are required. */
  readonly keyRing: Pick<KeyRing, "find" | "isEmpty" | "knows"> | null;
  /** Makes an API key. */
  readonly keysCommand: string;
  /** Wrong keys per minute that an address may send. */
  readonly wrongKeysPerMinute: number;
  /** For callers whose key has none of its own. */
  readonly defaultLimits: Limits;
  /** Shown by the commands of the cluster's owner; null where there is none. */
  readonly clusterSecret: string | null;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set before any handler runs. */
    caller: Caller;
    /**
     * Whether it may be told ids and addresses: it has an API key, or the cluster's secret. Throws INVALID_API_KEY for
     * a wrong key, RATE_LIMIT_EXCEEDED, and REDIS_UNAVAILABLE within 5 s.
     */
    maySeeInside: () => Promise<boolean>;
    /** Whether it shows the cluster's secret, or a key that was made with --admin. For requests that have a caller. */
    readonly mayAdminister: boolean;
  }
}

/**
 * Before the handlers of the scope: whose request it is, and whether that caller may send another. Health and metrics
 * are open, and so is the status, as far as `maySeeInside` allows; every other route, also one without an entry among
 * the operations, needs a caller.
 */
export function admit(scope: FastifyInstance, { wrongKeysPerMinute, ...admission }: Admission): void {
  const failed = new FailedKeys(wrongKeysPerMinute);
  scope.decorateRequest("caller", null as unknown as Caller);
  scope.decorateRequest("maySeeInside", function (this: FastifyRequest) {
    return maySeeInside({ ...admission, failed }, this);
  });
  scope.decorateRequest("mayAdminister", {
    getter(this: FastifyRequest) {
      return this.caller.isAdmin || showsSecret(admission, this);
    },
  });
  // Before the body is read: a client that is refused need not send it.
  scope.addHook("onRequest", async (request, reply) => {
    const operation = operationOf(request);
    if (operation?.tag === "operations") return;
    await timed(request.span, "admit", async () => {
      const authenticating = authenticate({ ...admission, failed }, request);
      request.caller = await (isLook(request) ? withinLook(authenticating) : authenticating);
      const isLimited = request.caller.limits.requests !== null;
      if (isLimited && isGeneration(operation)) await limitRequests(admission, reply);
    });
    request.span?.set({ "rhone.key": request.caller.owner });
  });
}

async function maySeeInside(
  uses: Authentication & Pick<Admission, "clusterSecret">,
  request: FastifyRequest,
): Promise<boolean> {
  const { keyRing } = uses;
  if (showsSecret(uses, request)) return true;
  if (keyRing === null || secretIn(request.headers) === undefined) return false;
  await withinLook(authenticate(uses, request));
  return true;
}

/** Nothing is to be done for it, so it need not wait for as long as work does. */
const isLook = ({ method }: FastifyRequest): boolean => method === "GET" || method === "HEAD";

const showsSecret = ({ clusterSecret }: Pick<Admission, "clusterSecret">, { headers }: FastifyRequest): boolean =>
  clusterSecret !== null && [headers[SECRET_HEADER], secretIn(headers)].some((each) => isSecret(each, clusterSecret));

type Authentication = Pick<Admission, "keyRing" | "keysCommand" | "defaultLimits" | "metrics"> & {
  readonly failed: FailedKeys;
};

/**
 * The caller. Throws INVALID_API_KEY where keys are required and no valid one came; RATE_LIMIT_EXCEEDED for keys that
 * were never seen here, from an address that sent too many wrong ones; REDIS_UNAVAILABLE.
 */
async function authenticate(uses: Authentication, { headers, ip }: FastifyRequest): Promise<Caller> {
  const { keyRing, defaultLimits, metrics, failed } = uses;
  if (keyRing === null) return anonymous(defaultLimits);
  const secret = secretIn(headers);
  if (secret !== undefined && !keyRing.knows(secret)) refuseGuesses(uses, failed.waitMs(ip));
  const key = secret === undefined ? null : await keyRing.find(secret);
  if (key !== null) return callerOf(key, defaultLimits);
  metrics.refused.inc({ reason: secret === undefined ? "no_key" : "wrong_key" });
  if (secret !== undefined) failed.add(ip);
  const hint = (await keyRing.isEmpty()) ? firstKeyHint(uses, ip) : "";
  throw refusal(secret, hint);
}

function refuseGuesses({ metrics }: Authentication, waitMs: number): void {
  if (waitMs === 0) return;
  metrics.refused.inc({ reason: "guessed_keys" });
  const message = `Too many wrong API keys came from this address; try again in ${retryAfter(waitMs)} s.`;
  throw new RequestError("RATE_LIMIT_EXCEEDED", message, { headers: { "retry-after": retryAfter(waitMs) } });
}

/** `Authorization: Bearer …`, which OpenAI's and Mistral's clients send, or `x-api-key`. */
function secretIn(headers: IncomingHttpHeaders): string | undefined {
  const other = headers["x-api-key"];
  return bearerOf(headers) ?? (typeof other === "string" ? other : undefined);
}

/** The command names folders of this machine, so others are referred to its log. */
const firstKeyHint = ({ keysCommand }: Authentication, ip: string): string =>
  isLoopback(ip)
    ? ` There are no keys yet; create one with: ${keysCommand}`
    : " There are no keys yet; the gateway's log says how to create one.";

function refusal(secret: string | undefined, hint: string): RequestError {
  const problem =
    secret === undefined
      ? "This gateway requires an API key, as Authorization: Bearer rhone_sk_… or x-api-key."
      : "This API key does not exist or was revoked.";
  return new RequestError("INVALID_API_KEY", problem + hint, { headers: { "www-authenticate": "Bearer" } });
}
